"""The choice of plug-ins to load: entry points by name, and files of modules under development."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chaosbench.errors import SpecError, unknown_name

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

NAMES, FILES = "CHAOSBENCH_PLUGINS", "CHAOSBENCH_PLUGIN_FILES"  # environment variables


@dataclass(frozen=True)
class Choice:
    """The plug-ins to load.

    Attributes:
        names: of entry points; None: all that are installed.
        files: absolute paths of modules under development, which load first.
    """

    names: tuple[str, ...] | None = None
    files: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls) -> "Choice":
        """Return the choice that the environment variables make."""
        names, files = os.environ.get(NAMES), os.environ.get(FILES, "")
        listed = None if names is None else tuple(filter(None, map(str.strip, names.split(","))))
        return cls(listed, tuple(filter(None, files.split(os.pathsep))))

    def export(self) -> None:
        """Set the environment variables, for everything that loads plug-ins in this process and in those it starts."""
        os.environ.pop(NAMES, None)
        if self.names is not None:
            os.environ[NAMES] = ",".join(self.names)
        os.environ[FILES] = os.pathsep.join(self.files)


def installed(choice: Choice) -> "list[EntryPoint]":
    """Return the entry points of a choice, by name.

    Raises:
        UnknownNameError: where the choice names a plug-in that is not installed.
    """
    from importlib.metadata import entry_points  # `--help` does not need it

    points = sorted(entry_points(group="chaosbench"), key=lambda point: point.name)
    names = {point.name for point in points} if choice.names is None else set(choice.names)
    for name in sorted(names - {point.name for point in points}):
        raise unknown_name("plug-in", name, [point.name for point in points], place="CHAOSBENCH_PLUGINS")
    developed = {Path(path).stem for path in choice.files}
    return [point for point in points if point.name in names and point.module.partition(".")[0] not in developed]


def add_files(paths: Sequence[Path] | None) -> None:
    """Add modules under development, given by `--plugin FILE.py`, to the choice of this process.

    Raises:
        SpecError: where a path is no Python file, or two files have the same name.
    """
    if not paths:
        return
    present = Choice.from_environment()
    for path in paths:
        if path.suffix != ".py" or not path.is_file():
            raise SpecError(f"--plugin {str(path)!r} is no Python file; give the path of the module, such as mine.py")
    files = tuple(dict.fromkeys([*present.files, *(str(path.resolve()) for path in paths)]))
    stems = [Path(name).stem for name in files]
    for stem in stems:
        if stems.count(stem) > 1:
            raise SpecError(f"--plugin: two files are called {stem}.py; rename one")
    Choice(present.names, files).export()


@contextmanager
def restored() -> Iterator[None]:
    """Undo at the end what the command has added to the choice, for processes that run several commands."""
    before = {name: os.environ.get(name) for name in (NAMES, FILES)}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
