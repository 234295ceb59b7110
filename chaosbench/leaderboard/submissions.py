"""A submission to a published board: the tables of many experiments and a manifest, as data that nobody executes."""

import hashlib
import json
import re
import shutil
import tomllib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chaosbench.errors import StoreError, one_line, printable
from chaosbench.files import flush, without_folders
from chaosbench.leaderboard.folder import Stored, content_digest, read_table, sha256
from chaosbench.leaderboard.schema import RECORDS, RUNS, Row, rows

MANIFEST, RUNS_FILE, RECORDS_FILE = "manifest.toml", "runs.parquet", "records.parquet"
FORMAT = 1  # of the manifest and of the files beside it
_FILES = frozenset({MANIFEST, RUNS_FILE, RECORDS_FILE})
_LARGEST = 2**28  # [bytes] of a file
_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
_Line = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """The words of a submission about itself.

    Attributes:
        format: version of the layout, of which later ones than `FORMAT` are not read.
        name: of the submission; small letters, digits, dots, hyphens and underscores.
        date: of the submission.
        suite: name of the suite that was run.
        authors: who answers for it.
        code: where anybody finds the code that gives these numbers, as an address or a command; empty: nowhere, and
            then the submission is listed but not ranked.
        saw: what the models had seen before this training: data, systems, pre-trained weights; "nothing" if nothing.
        chaosbench: version that packed it.
        files: SHA-256 of the tables by name.
        experiments: as JSON, by their digests: the content, the identity, and the digests of system and data.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = Field(ge=1, le=FORMAT)
    name: str = Field(pattern=f"^{_NAME}$")
    date: date
    suite: _Line
    authors: tuple[_Line, ...] = Field(max_length=100)
    code: _Line
    saw: _Line = Field(min_length=1)
    chaosbench: _Line
    files: dict[str, _Digest]
    experiments: dict[_Digest, Annotated[str, Field(max_length=100_000)]] = Field(min_length=1, max_length=20_000)


@dataclass(frozen=True)
class Submission:
    """A submission as it is read.

    Attributes:
        folder: its path.
        manifest: what it says about itself.
        experiments: with their runs and records.
    """

    folder: Path
    manifest: Manifest
    experiments: tuple[Stored, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 of its numbers, whatever the bytes of its files."""
        return digest_of(self.experiments)


def read_submission(folder: Path) -> Submission:
    """Read a submission and check its files, their hashes, their schemas and the digests of its experiments.

    Raises:
        StoreError: with the first thing that is wrong.
    """
    _check_files(folder)
    manifest = _manifest(folder / MANIFEST)
    for name in (RUNS_FILE, RECORDS_FILE):
        if manifest.files.get(name) != sha256(folder / name):
            raise StoreError(f"{str(folder / name)!r} is not the file whose hash is in {MANIFEST}")
    experiments = {digest: _specs(folder, digest, text) for digest, text in manifest.experiments.items()}
    runs = _by_experiment(folder / RUNS_FILE, RUNS, experiments)
    records = _by_experiment(folder / RECORDS_FILE, RECORDS, experiments)
    stored = tuple(
        replace(each, runs=tuple(runs[digest]), records=tuple(records.get(digest, ())))
        for digest, each in experiments.items()
        if runs.get(digest)
    )
    if len(stored) < len(experiments):
        raise StoreError(f"{str(folder)!r} has an experiment without a run")
    return Submission(folder, manifest, stored)


def write_submission(
    target: Path,
    experiments: Sequence[Stored],
    *,
    name: str,
    authors: Iterable[str],
    code: str,
    saw: str,
    version: str,
    day: date,
) -> Path:
    """Write a submission and return its folder, `target / <date>-<name>-<digest8>`; it is whole or absent.

    Args:
        target: a directory; it is made.
        experiments: with their runs and records.
        name, authors, code, saw, day: as in `Manifest`.
        version: of chaosbench.

    Raises:
        StoreError: where a name cannot be used, or the folder exists.
    """
    experiments = [replace(one, runs=tuple(map(_without_folders, one.runs))) for one in experiments]
    if not re.fullmatch(_NAME, name):
        raise StoreError(f"{name!r} cannot name a submission; use small letters, digits, dots, hyphens, underscores")
    folder = target / f"{day.isoformat()}-{name}-{digest_of(experiments)[:8]}"
    if folder.exists():
        raise StoreError(f"{str(folder)!r} exists; the same numbers were packed under this name on the same day")
    beside = target / f".tmp-{uuid.uuid4().hex}"
    try:
        beside.mkdir(parents=True)
        _write_tables(beside, experiments)
        content = {
            "format": FORMAT,
            "name": name,
            "date": day,
            "suite": experiments[0].runs[0]["suite"],
            "authors": list(authors),
            "code": code,
            "saw": saw,
            "chaosbench": version,
            "files": {one: sha256(beside / one) for one in (RUNS_FILE, RECORDS_FILE)},
            "experiments": {stored.runs[0]["experiment"]: _described(stored) for stored in experiments},
        }
        (beside / MANIFEST).write_text(_toml(content), encoding="utf-8")
        _manifest(beside / MANIFEST)  # what was typed is checked as a reader checks it
        for path in (*beside.iterdir(), beside):
            flush(path)
        beside.rename(folder)
        flush(target)
    except OSError as error:
        raise StoreError(f"cannot write {str(folder)!r}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _without_folders(run: Row) -> Row:
    """Return a run whose command does not name the folders of a machine."""
    command = run["provenance"].get("command")
    return run if command is None else {**run, "provenance": run["provenance"] | {"command": without_folders(command)}}


def digest_of(experiments: Iterable[Stored]) -> str:
    """Return the SHA-256 of the numbers of experiments: of their contents, runs and records, in a fixed order."""
    lines = []
    for stored in experiments:
        lines.append(_canonical(stored.experiment))
        lines += [json.dumps(row, sort_keys=True, default=str) for row in (*stored.runs, *stored.records)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def is_board(path: Path) -> bool:
    """Return True for the folder of a published board, which has submissions."""
    return (path / "submissions").is_dir()


def submissions(board: Path) -> list[Path]:
    """Return the folders of the submissions of a board, sorted by name."""
    return sorted(path for path in (board / "submissions").iterdir() if not path.name.startswith("."))


def _check_files(folder: Path) -> None:
    """Refuse what is no folder of three regular files of bounded size."""
    if folder.is_symlink() or not folder.is_dir():
        raise StoreError(f"{str(folder)!r} is no folder of a submission")
    found = {path.name: path for path in folder.iterdir()}
    for name, path in found.items():
        if path.is_symlink() or not path.is_file():
            raise StoreError(f"{str(path)!r} is no regular file; a submission holds {', '.join(sorted(_FILES))}")
        if name not in _FILES:
            raise StoreError(f"{str(path)!r} does not belong here; a submission holds {', '.join(sorted(_FILES))}")
        if path.stat().st_size > _LARGEST:
            raise StoreError(f"{str(path)!r} is larger than {_LARGEST // 2**20} MiB")
    for name in sorted(_FILES - found.keys()):
        raise StoreError(f"{str(folder)!r} lacks the file {name}")


def _manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate(tomllib.loads(path.read_bytes().decode("utf-8")))
    except (ValueError, RecursionError) as error:  # pydantic's and TOML's errors are ValueErrors
        raise StoreError(f"{str(path)!r}: {_first(error)}") from None


def _first(error: Exception) -> str:
    """Return the first complaint about a manifest in one line."""
    if not isinstance(error, ValidationError):
        return one_line(error)
    first = error.errors(include_url=False)[0]
    return printable(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")[:300]


def _specs(folder: Path, digest: str, text: str) -> Stored:
    """Return an experiment, still without rows, whose digest is right and whose parts have kinds."""
    what = f"{str(folder)!r}: experiment {digest[:12]}"
    try:
        table = json.loads(text)
        content, identity, (system, data) = table["experiment"], table["identity"], table["sources"]
        kinds = [content[noun]["kind"] for noun in ("system", "model", "trainer")]
        parts = [content[name] for name in ("data", "evaluation", "metrics", "seeds")]
        own = content_digest(content)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreError(f"{what} is no experiment: {one_line(error)}") from None
    if not all(isinstance(one, str) for one in (*kinds, identity, system, data)):
        raise StoreError(f"{what} is no experiment")
    if not all(isinstance(one, dict | list) for one in parts):
        raise StoreError(f"{what} is no experiment")
    if content_digest(content["system"]) == system and own != digest:  # other systems read files, which count as well
        raise StoreError(f"{what} has a content with another digest")
    return Stored(folder, identity, content, (), (), (system, data))


def _by_experiment(path: Path, schema: pa.Schema, known: Mapping[str, Any]) -> dict[str, list[Row]]:
    """Return the rows of a table by experiment; every row must belong to one of the manifest."""
    found: dict[str, list[Row]] = {}
    for row in rows(read_table(path), schema):
        found.setdefault(row["experiment"], []).append(row)
    for digest in found.keys() - known.keys():
        raise StoreError(f"{str(path)!r} has rows of an experiment that {MANIFEST} lacks: {printable(digest)[:64]!r}")
    return found


def _write_tables(folder: Path, experiments: Sequence[Stored]) -> None:
    for name, schema, chosen in ((RUNS_FILE, RUNS, "runs"), (RECORDS_FILE, RECORDS, "records")):
        content = [_tabular(row) for stored in experiments for row in getattr(stored, chosen)]
        table = pa.Table.from_pylist(content, schema=schema)
        pq.write_table(table, str(folder / name), write_page_checksum=True, compression="zstd")


def _tabular(row: Row) -> Row:
    return {**row, "provenance": sorted(row["provenance"].items())} if "provenance" in row else row


def _described(stored: Stored) -> str:
    return _canonical({"experiment": stored.experiment, "identity": stored.identity, "sources": stored.sources})


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _toml(content: Mapping[str, Any]) -> str:
    """Return a manifest as TOML; its strings are JSON strings, which TOML reads as well."""
    lines = [f"{key} = {_value(value)}" for key, value in content.items() if not isinstance(value, dict)]
    for key, table in content.items():
        if isinstance(table, dict):
            lines += ["", f"[{key}]", *(f"{json.dumps(name)} = {_value(value)}" for name, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value)
