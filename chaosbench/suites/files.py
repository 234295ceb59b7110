"""Suite files: found by name or by path, read, and split into parts."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from chaosbench import bundled
from chaosbench.errors import SpecError, UnknownNameError, unknown_name
from chaosbench.spec import TABLES_OF_A_SYSTEM

TABLES = ("systems", "models", "trainers")
_PART_KEYS = ("description", "seeds", "metrics", "diagnostics", "data", "evaluation", "search", *TABLES)
_KEYS = ("suite", "parts", *_PART_KEYS)
_LARGEST = 2**22  # [bytes] of a suite file

Content = dict[str, Any]  # a TOML table as it is read


@dataclass(frozen=True)
class Part:
    """One part of a suite file, completed by the keys of the file's head.

    Attributes:
        content: all keys of the part, its own and those inherited from the head.
        place: `parts.2`; empty where the file has no parts.
        own: the keys that the part itself has.
        systems: the numbers of its systems in the file, where it holds only some of them.
        tables: places of tables that stand below a system, by their key.
    """

    content: Content
    place: str = ""
    own: frozenset[str] = frozenset()
    systems: tuple[int, ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)

    def at(self, key: str) -> str:
        """Return the place of a key in the file: `parts.2.models`, or `models` in its head."""
        return self.tables.get(key) or (f"{self.place}.{key}" if key in self.own else key)

    def entry(self, key: str, index: int) -> str:
        """Return the place of an entry of a list: `parts.2.models.0`."""
        number = self.systems[index] if key == "systems" and self.systems else index
        return f"{self.at(key)}.{number}"


def shipped() -> dict[str, str]:
    """Return name and description of every shipped suite."""
    descriptions = {}
    for entry in sorted(files("chaosbench.suites").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            descriptions[entry.name.removesuffix(".toml")] = str(
                tomllib.loads(entry.read_text(encoding="utf-8")).get("description", "")
            )
    return descriptions


def parts(name: str, offered: Mapping[str, Path] | None = None) -> list[Part]:
    """Return the parts of a shipped suite, given by name, or of a TOML file, given by path.

    A file without `[[parts]]` is a single part, and systems with tables of their own are parts by themselves. `offered`
    has the files of plug-ins' suites by name.

    Raises:
        ChaosbenchError: where a key is unknown, or a part has no system, model or trainer.
    """
    content = _read(name, offered or {})
    _check_keys(content, _KEYS, name)
    if not isinstance(content.get("suite"), str) or not content["suite"]:
        raise SpecError(f'{name}: the key suite must name the suite, as in suite = "mine"')
    if "parts" not in content:
        return list(_divided(Part(_complete(content, name)), name))
    tables = content.pop("parts")
    if not isinstance(tables, list) or not tables or not all(isinstance(part, dict) for part in tables):
        raise SpecError(f"{name}: parts must be an array of tables, [[parts]], with at least one entry")
    complete: list[Part] = []
    for index, part in enumerate(tables):
        place = f"parts.{index}"
        _check_keys(part, _PART_KEYS, f"{name}: {place}")
        whole = Part(_complete(content | part, f"{name}: {place}"), place, frozenset(part))
        complete += _divided(whole, name)
    return complete


def _divided(part: Part, name: str) -> Iterator[Part]:
    """Divide a part into one for each system that has tables of its own, and one for the others."""
    entries = list(enumerate(part.content["systems"]))
    own = [number for number, entry in entries if any(key in entry for key in TABLES_OF_A_SYSTEM)]
    if not own:
        yield part
        return
    plain = [number for number, _ in entries if number not in own]
    if plain:
        systems = [part.content["systems"][number] for number in plain]
        yield replace(part, content=part.content | {"systems": systems}, systems=tuple(plain))
    for number in own:
        yield _of_one_system(part, number, name)


def _of_one_system(part: Part, number: int, name: str) -> Part:
    """Return the part of a system whose own tables add to the shared ones."""
    entry, place = dict(part.content["systems"][number]), f"{part.at('systems')}.{number}"
    content, tables = dict(part.content), {}
    for key in TABLES_OF_A_SYSTEM:
        if key not in entry:
            continue
        table, tables[key] = entry.pop(key), f"{place}.{key}"
        if not isinstance(table, dict):
            raise SpecError(f"{name}: {tables[key]} must be a table, as in {key} = {{ ... }}")
        content[key] = part.content.get(key, {}) | table
    return replace(part, content=content | {"systems": [entry]}, systems=(number,), tables=tables)


def text_of(name: str, offered: Mapping[str, Path] | None = None) -> bytes:
    """Return the content of a suite file, given by the name of a shipped suite, one of a plug-in, or a path.

    Raises:
        ChaosbenchError: where there is none, or it cannot be read.
    """
    path = (offered or {}).get(name, Path(name))
    if path.suffix == ".toml" or (name not in shipped() and _is_file(path)):
        return _bytes(path)
    if name in shipped():
        return files("chaosbench.suites").joinpath(f"{name}.toml").read_bytes()
    error = unknown_name("suite", name, [*shipped(), *(offered or {})], advice=bundled.advice(name, "suite"))
    raise UnknownNameError(f"{error} Or give the path of a .toml file.")


def _read(name: str, offered: Mapping[str, Path]) -> Content:
    text = text_of(name, offered)
    try:
        return tomllib.loads(text.decode("utf-8-sig"))  # some editors on Windows begin a file with a mark
    except RecursionError:
        raise SpecError(f"{name} is nested too deeply; a suite needs at most five levels") from None
    except ValueError as error:  # not TOML, not UTF-8, or a number of more digits than Python reads
        raise SpecError(f"{name} is not valid TOML: {error}") from None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the name is too long for the file system
        return False


def _bytes(path: Path) -> bytes:
    if not _is_file(path):
        why = "it is no regular file" if path.suffix == ".toml" and _exists(path) else "there is none"
        raise SpecError(f"no suite file at {str(path)!r}: {why}; shipped suites: {', '.join(shipped())}")
    try:
        if path.stat().st_size > _LARGEST:
            raise SpecError(f"{str(path)!r} is larger than {_LARGEST // 2**20} MiB; it is no suite file")
        return path.read_bytes()
    except OSError as error:
        raise SpecError(f"cannot read {str(path)!r}: {error.strerror or error}") from None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _check_keys(content: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    for key in content:
        if key not in known:
            raise unknown_name("key of a suite", key, known, place=place)


def _complete(content: Content, name: str) -> Content:
    for table in TABLES:
        entries = content.get(table)
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
            raise SpecError(f"{name}: needs at least one [[{table}]] table with a kind")
    for table in ("data", "evaluation"):
        if not isinstance(content.get(table, {}), dict):
            raise SpecError(f"{name}: {table} must be a table, [{table}]")
    return content
