"""The folder of one experiment: six files, and a manifest of their hashes, which is written last."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import safe_open
from safetensors.numpy import load_file, save

from chaosbench.errors import StoreError, one_line
from chaosbench.files import flush
from chaosbench.leaderboard.schema import RECORDS, RUNS, VERSION, Row, records_table, require_known, rows, runs_table

if TYPE_CHECKING:  # at run time the ranking must do without torch
    from chaosbench.experiment import Result

Arrays = dict[str, np.ndarray[Any, Any]]

FINISHED = frozenset({"ok", "diverged"})  # statuses of runs that have a result; all others may be run again
FAILED = ("failed", "crashed", "timeout", "oom", "skipped")
EVENTS = "events.jsonl"
MANIFEST = "manifest.json"  # SHA-256 of every other file; a folder that has it is complete
ROWS = 2_000_000  # more than any experiment writes; a small malicious file can claim far more
SIZE = 2**29  # [bytes] of a table in memory


class BoardKey(NamedTuple):
    """The key of the board on which an experiment is ranked; the labels come first, for the order of the boards."""

    system: str  # label
    data: str  # label
    evaluation: str  # content as JSON
    digest: str  # of the contents of system and data


@dataclass(frozen=True)
class Stored:
    """A published experiment, read without torch and without the plug-ins that made it.

    Attributes:
        folder: its path.
        identity: equal for experiments whose seeds may be pooled.
        experiment: the content of `Experiment` as JSON.
        runs, records: rows with the fields of `Run` and `Record`.
        sources: digests of system and data; computed from their contents in results of earlier versions.
    """

    folder: Path
    identity: str
    experiment: dict[str, Any]
    runs: tuple[Row, ...]
    records: tuple[Row, ...]
    sources: tuple[str, str] = ("", "")

    @property
    def board(self) -> BoardKey:
        """The board on which the experiment is ranked."""
        evaluation = json.dumps(self.experiment["evaluation"], sort_keys=True)
        run = self.runs[0]
        return BoardKey(run["system"], run["data"], evaluation, " ".join(self.sources))

    def training_of(self, run: Row) -> tuple[int, float | None]:
        """Return updates and seconds of a run's training alone, without its share of the search before it."""
        own = (row for row in self.records if row["seed"] == run["seed"])
        search = {row["name"]: row["value"] for row in own if row["name"] in ("search.updates", "search.seconds")}
        if not search or run["train_seconds"] is None:
            return run["updates"], run["train_seconds"]
        share = search["search.seconds"] / (run["seeds_together"] or len(self.runs))
        return run["updates"] - int(search["search.updates"]), run["train_seconds"] - share

    @property
    def retryable(self) -> bool:
        """True if no seed has a result, so that running the experiment again may replace the folder."""
        return not any(run["status"] in FINISHED for run in self.runs)

    @property
    def median_run(self) -> int:
        """Index into `runs` of the median seed by the first metric, where a diverged seed ranks last."""
        finals = [row for row in self.records if row["update"] is None and row["better"]]
        named = [row for row in finals if row["name"] == finals[0]["name"]]
        sign = -1 if named and named[0]["better"] == "higher" else 1
        lost = {run["seed"] for run in self.runs if run["status"] == "diverged"}
        costs = {
            row["seed"]: sign * row["value"] for row in named if row["value"] is not None and row["seed"] not in lost
        }
        order = sorted(range(len(self.runs)), key=lambda index: costs.get(self.runs[index]["seed"], math.inf))
        return order[(len(order) - 1) // 2]


def in_memory(result: "Result") -> Stored:
    """Return a result as it would be read, without a folder."""
    experiment = result.experiment
    runs, records = rows(runs_table(result.runs), RUNS), rows(records_table(result.records), RECORDS)
    return Stored(Path(), experiment.identity, experiment.model_dump(mode="json"), runs, records)


def fill(folder: Path, result: "Result", events: Path | None = None) -> None:
    """Write every file of a result, with the manifest last, and flush all of them to the disk.

    Args:
        folder: an empty folder.
        result: what to write.
        events: a file to copy; one that cannot be read is left out.
    """
    experiment = result.experiment
    spec = {
        "schema": VERSION,
        "digest": experiment.digest(),
        "identity": experiment.identity,
        "sources": [experiment.system.digest(), experiment.data.digest()],
        "experiment": experiment.model_dump(mode="json"),
    }
    _dump(folder / "spec.json", spec)
    for name, table in (("runs.parquet", runs_table(result.runs)), ("records.parquet", records_table(result.records))):
        # By path: given a Python file object with torch imported, pyarrow may abort the process at exit.
        pq.write_table(table, str(folder / name), write_page_checksum=True, compression="zstd")
    standardisation = {name: values.tolist() for name, values in result.standardisation.items()}
    metadata = {"standardisation": json.dumps(standardisation, sort_keys=True)} if standardisation else None
    contents = {"forecast.safetensors": (result.arrays, None), "weights.safetensors": (result.weights, metadata)}
    for name, (arrays, notes) in contents.items():
        # Contiguous, because safetensors writes the buffer of a view, which is another array. Not by save_file, which
        # makes files that only their owner can read.
        content = save({key: np.ascontiguousarray(array) for key, array in arrays.items()}, metadata=notes)
        (folder / name).write_bytes(content)
    course = _content(events)
    if course is not None:
        (folder / EVENTS).write_bytes(course)
    hashes = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    _dump(folder / MANIFEST, {"schema": VERSION, "files": hashes})
    for path in (*folder.iterdir(), folder):
        flush(path)


def _content(path: Path | None) -> bytes | None:
    """Return the content of a file; None if it cannot be read."""
    try:
        return None if path is None else path.read_bytes()
    except OSError:
        return None


def read(folder: Path) -> Stored:
    """Read the experiment in a published folder, and check its files against the manifest.

    Raises:
        StoreError: where the folder is incomplete, damaged, or of another layout.
    """
    path = _checked(folder, "spec.json")
    try:
        return _stored(folder, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:  # the folder has been replaced after its check
        raise _damaged(path, error.strerror or str(error)) from error
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise _damaged(path, f"its content is not that of an experiment: {one_line(error)}") from error


def _stored(folder: Path, spec: dict[str, Any]) -> Stored:
    if spec.get("schema") != VERSION:
        raise StoreError(f"{str(folder)!r} has layout {spec.get('schema')!r}; this chaosbench reads layout {VERSION}")
    runs = rows(_table(folder, "runs.parquet"), RUNS)
    records = rows(_table(folder, "records.parquet"), RECORDS)
    sources = spec.get("sources") or [content_digest(spec["experiment"][noun]) for noun in ("system", "data")]
    return Stored(folder, spec["identity"], spec["experiment"], runs, records, (sources[0], sources[1]))


def verify(folder: Path) -> None:
    """Check every file of a published folder against the manifest, also those that a ranking does not read.

    Raises:
        StoreError: where a file is missing or damaged.
    """
    for name in hashes(folder):
        _checked(folder, name)


def forecast(folder: Path) -> Arrays:
    """Read the arrays from which pictures are drawn."""
    return load_file(_checked(folder, "forecast.safetensors"))


def weights(folder: Path) -> Arrays:
    """Read the trained weights; the leading axis is the seeds, in order."""
    return load_file(_checked(folder, "weights.safetensors"))


def weights_metadata(folder: Path) -> dict[str, str]:
    """Read what is stored beside the weights: "standardisation", as JSON; empty in results of earlier versions."""
    with safe_open(_checked(folder, "weights.safetensors"), framework="numpy") as file:
        return file.metadata() or {}


def hashes(folder: Path) -> dict[str, str]:
    """Read the SHA-256 of every file of a folder from its manifest."""
    path = folder / MANIFEST
    try:
        files: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["files"]
    except FileNotFoundError as error:
        raise StoreError(f"{str(folder)!r} holds no finished experiment: it has no {MANIFEST}") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(files, dict):
        raise _damaged(path, "its files are not a table")
    return files


def foreign(manifest: Path) -> bool:
    """Return True for the manifest of another program, which is valid JSON without the fields of ours."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False  # it may be ours, damaged
    return not (isinstance(content, dict) and {"schema", "files"} & set(content))


def _table(folder: Path, name: str) -> pa.Table:
    return read_table(_checked(folder, name))


def read_table(path: Path) -> pa.Table:
    """Read a Parquet file and verify its pages; one of too many rows or too much text is refused before it unfolds.

    Raises:
        StoreError: where it is damaged or too large.
    """
    try:
        with pq.ParquetFile(str(path), page_checksum_verification=True) as file:
            require_known(file.schema_arrow.metadata, str(path))
            if file.metadata.num_rows > ROWS:
                raise StoreError(f"{str(path)!r} claims {file.metadata.num_rows:,} rows; at most {ROWS:,} are read")
            return pa.Table.from_batches(_bounded(path, file), schema=_unfolded(file.schema_arrow))
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, str(error)) from error


def _bounded(path: Path, file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """Yield the rows in batches, until they need more memory than a table may have.

    A file stores a text that repeats once, so that a batch can be larger by as many times as it has rows.
    """
    groups = (file.metadata.row_group(index) for index in range(file.metadata.num_row_groups))
    longest = max(
        (group.column(at).total_uncompressed_size for group in groups for at in range(group.num_columns)), default=1
    )
    size = 0
    for batch in file.iter_batches(batch_size=min(max(SIZE // max(longest, 1), 1), 65_536)):
        batch = batch.cast(_unfolded(batch.schema))
        size += batch.nbytes
        if size > SIZE:
            raise StoreError(f"{str(path)!r} unfolds to more than the {SIZE:,} bytes that are read")
        yield batch


def _unfolded(schema: pa.Schema) -> pa.Schema:
    """Return a schema whose dictionaries are replaced by the values that they stand for."""
    types = ((field, field.type.value_type if pa.types.is_dictionary(field.type) else field.type) for field in schema)
    return pa.schema([field.with_type(kind) for field, kind in types])


def _checked(folder: Path, name: str) -> Path:
    """Return the path of a file, after a check that its hash is in the manifest."""
    path, expected = folder / name, hashes(folder).get(name)
    if path.exists() and not path.is_file():  # a pipe or a device would be read for ever
        raise _damaged(path, "it is no regular file")
    try:
        digest = sha256(path)
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    if digest != expected:
        raise _damaged(path, f"its hash is not the one in {MANIFEST}")
    return path


def _damaged(path: Path, why: str) -> StoreError:
    brief = " ".join(why.split())[:200]
    return StoreError(f"{str(path)!r} is damaged ({brief}); remove its folder and run the suite again")


def content_digest(content: dict[str, Any]) -> str:
    """Return the digest that a spec with this content has, if its file says nothing else."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
