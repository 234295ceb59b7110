"""The list of plug-ins and what they offer, cached while nothing has changed since they were all imported."""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint, distributions, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosbench import __version__
from chaosbench.files import cache_folder, write_whole
from chaosbench.plugin_choice import Choice

if TYPE_CHECKING:
    from chaosbench.registry import Registry

Row = dict[str, Any]
_OURS = ("hookspecs.py", "registry.py", "builtin.py", "plugin_import.py", "plugin_api.py", "offered_suites.py")
_BROKEN_KEPT = timedelta(hours=1)
_OWN_SCRIPTS = ("chaosbench.__main__:main", "chaosbench.cli:main")  # of this version, and of earlier ones
_MOST_FILES = 2_000  # of a package whose changes are looked for


@dataclass(frozen=True)
class Listing:
    """A row per plug-in, in the order in which they load.

    Attributes:
        rows: name, package, version, status, error, offers, hooks, import_seconds, heavy and printed.
        cached: when the plug-ins were imported, if that was by an earlier command; None: by this one.
    """

    rows: list[Row]
    cached: datetime | None = None


def listing() -> Listing:
    """Return what the plug-ins offer; without a valid cache they are all imported, with torch.

    A cache is valid while the installed distributions, the files of the plug-ins' modules, Python, chaosbench and the
    choice of plug-ins are the same; with a broken plug-in for an hour at most, because the cause may lie elsewhere. A
    damaged cache is written anew.
    """
    choice = Choice.from_environment()
    key = _key(choice)
    path = cache_folder() / "plugins" / f"{hashlib.sha256(sys.prefix.encode()).hexdigest()[:12]}.json"
    if key is not None:
        with suppress(OSError, ValueError, TypeError, KeyError):
            content = json.loads(path.read_text(encoding="utf-8"))
            rows, imported = list(content["rows"]), datetime.fromisoformat(content["imported"])
            sound = all(row["status"] == "ok" for row in rows)
            if content["key"] == key and (sound or datetime.now(UTC) - imported < _BROKEN_KEPT):
                return Listing(rows, imported)
    from chaosbench import registry  # heavy

    rows = list(rows_of(registry.load(choice)))
    if key is not None:
        text = json.dumps({"key": key, "imported": datetime.now(UTC).isoformat(), "rows": rows})
        with suppress(OSError):  # a cache that cannot be written costs time alone
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return Listing(rows)


def rows_of(registry: "Registry") -> Iterator[Row]:
    """Yield a row per plug-in of a registry; `error` is the reason why it was not loaded, or None."""
    for plugin in registry.plugins:
        kinds = [f"{noun} {kind}" for (noun, kind), origin in registry.origins.items() if origin == plugin.origin]
        suites = [f"suite {name}" for name, suite in registry.suites.items() if suite.origin == plugin.origin]
        yield {
            "name": plugin.name,
            "package": plugin.package,
            "version": plugin.version,
            "status": "broken" if plugin.error else "ok",
            "error": plugin.error,
            "offers": [] if plugin.error else sorted(kinds + suites),
            "hooks": list(plugin.hooks),
            "import_seconds": round(plugin.seconds, 3),
            "heavy": list(plugin.heavy),
            "printed": plugin.printed,
        }


def details(name: str) -> Row | None:
    """Return what the metadata of a plug-in's distribution say, without importing it; None for a file."""
    for point in entry_points(group="chaosbench"):
        if point.name == name and point.dist is not None:
            metadata = point.dist.metadata
            needs = [text for text in point.dist.requires or [] if text.partition(";")[0].strip()[:10] == "chaosbench"]
            return {
                "module": point.value,
                "folder": str(point.dist.locate_file("")),
                "summary": metadata["Summary"] or "",
                "requires_python": metadata["Requires-Python"] or "",
                "requires_chaosbench": needs,
            }
    return None


def _key(choice: Choice) -> str | None:
    """Return a digest of everything that the rows depend on; None if the files of a plug-in are not found."""
    points = sorted(entry_points(group="chaosbench"), key=lambda point: point.name)
    parts: list[object] = [sys.version, sys.prefix, __version__, choice.names, choice.files]
    parts += [_state(Path(__file__).with_name(name)) for name in _OURS]
    parts += [_state(Path(name)) for name in choice.files]
    parts.append(sorted(_installed()))
    for point in points:
        origin = None if point.dist is None else (point.dist.name, point.dist.version)
        files = _files(point)
        if files is None:
            return None
        parts.append((point.name, point.value, origin, sorted(files)))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _installed() -> Iterator[str]:
    """Yield the names of the folders with metadata on the path, which hold names and versions of distributions."""
    for folder in sys.path:
        with suppress(OSError):
            names = (path.name for path in Path(folder).iterdir())
            yield from (name for name in names if name.endswith((".dist-info", ".egg-info")))


def _files(point: EntryPoint) -> Iterable[tuple[str, int, int]] | None:
    """Return path, size and time of change of the Python files of a plug-in; None if they are not found."""
    try:
        spec = find_spec(point.module.partition(".")[0])
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not spec.submodule_search_locations:
        return None if spec.origin is None else [_state(Path(spec.origin))]
    paths = [path for folder in spec.submodule_search_locations for path in Path(folder).rglob("*.py")]
    return None if len(paths) > _MOST_FILES else [_state(path) for path in paths]


def _state(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return str(path), -1, -1
    return str(path), status.st_size, status.st_mtime_ns


def foreign_owners() -> list[str]:
    """Return a sentence on each other package that owns the import name or the command `chaosbench`."""
    here = Path(__file__).resolve().parent
    sentences = []
    for distribution in distributions():
        name = f"{distribution.name} {distribution.version}"
        package = Path(str(distribution.locate_file("chaosbench")))
        record = distribution.read_text("RECORD") or ""  # `distribution.files` would take seconds
        owns = record.startswith("chaosbench/") or "\nchaosbench/" in record
        if owns and package.resolve() != here:
            sentences.append(f"{name} owns the import name chaosbench, in {package.parent}; uninstall it")
        for point in distribution.entry_points:
            if (point.group, point.name) == ("console_scripts", "chaosbench") and point.value not in _OWN_SCRIPTS:
                sentences.append(f"{name} owns the command chaosbench, which calls {point.value}; uninstall it")
    return sentences
