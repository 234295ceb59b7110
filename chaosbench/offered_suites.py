"""Suites that plug-ins offer: TOML files, checked when they are admitted."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from chaosbench import __version__
from chaosbench.errors import PluginError


@dataclass(frozen=True)
class OfferedSuite:
    """A suite that a plug-in offers; `origin` is its package and version."""

    path: Path
    description: str
    origin: str


def checked(paths: Iterable[object], origin: str, known: Mapping[str, OfferedSuite]) -> dict[str, OfferedSuite]:
    """Return suites by name, which is that of the file without its suffix.

    Args:
        paths: of TOML files, as the hook returned them.
        origin: package and version of the plug-in.
        known: the suites of other plug-ins.

    Raises:
        PluginError: where a path is none, the file is not valid TOML, or the name is taken.
    """
    suites: dict[str, OfferedSuite] = {}
    shipped = {Path(entry.name).stem for entry in files("chaosbench.suites").iterdir() if entry.name.endswith(".toml")}
    for path in paths:
        if not isinstance(path, Path) or path.suffix != ".toml" or not path.is_file():
            raise PluginError(f"chaosbench_suites returned {path!r}, which is no path of a TOML file that exists")
        first = f"chaosbench {__version__}" if path.stem in shipped else ""
        for others in (known, suites):
            first = others[path.stem].origin if path.stem in others else first
        if first:
            raise offered_twice("suite", path.stem, first, origin)
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PluginError(f"the suite {path.name} is not valid TOML: {error}") from error
        suites[path.stem] = OfferedSuite(path, str(content.get("description", "")), origin)
    return suites


def offered_twice(noun: str, name: str, first: str, second: str) -> PluginError:
    """Return the error for a name that two plug-ins offer, given by package and version."""
    return PluginError(f"the {noun} {name!r} is offered twice: by {first} and by {second}")
