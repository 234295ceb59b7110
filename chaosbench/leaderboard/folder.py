"""The folder of one experiment: five files, and a manifest of their hashes, which is written last."""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import safe_open
from safetensors.numpy import load_file, save

from chaosbench.errors import StoreError
from chaosbench.files import flush
from chaosbench.leaderboard.schema import RECORDS, RUNS, VERSION, Row, records_table, rows, runs_table

if TYPE_CHECKING:  # at run time the ranking must do without torch
    from chaosbench.experiment import Result

Arrays = dict[str, np.ndarray[Any, Any]]

FINISHED = frozenset({"ok", "diverged"})  # statuses of runs that have a result; all others may be run again
MANIFEST = "manifest.json"  # SHA-256 of every other file; a folder that has it is complete
ROWS = 20_000_000  # more than any experiment writes; a small malicious file can claim far more


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


def fill(folder: Path, result: "Result") -> None:
    """Write every file of a result, with the manifest last, and flush all of them to the disk."""
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
    hashes = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    _dump(folder / MANIFEST, {"schema": VERSION, "files": hashes})
    for path in (*folder.iterdir(), folder):
        flush(path)


def read(folder: Path) -> Stored:
    """Read the experiment in a published folder, and check its files against the manifest.

    Raises:
        StoreError: where the folder is incomplete, damaged, or of another layout.
    """
    spec = json.loads(_checked(folder, "spec.json").read_text(encoding="utf-8"))
    if spec.get("schema") != VERSION:
        raise StoreError(f"{str(folder)!r} has layout {spec.get('schema')!r}; this chaosbench reads layout {VERSION}")
    runs = rows(_table(folder, "runs.parquet"), RUNS)
    records = rows(_table(folder, "records.parquet"), RECORDS)
    sources = spec.get("sources") or [_digest(spec["experiment"][noun]) for noun in ("system", "data")]
    return Stored(folder, spec["identity"], spec["experiment"], runs, records, (sources[0], sources[1]))


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
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, str(error)) from error
    return files


def _table(folder: Path, name: str) -> pa.Table:
    """Read a Parquet file and verify its pages; a file that claims too many rows is refused before it is decoded."""
    path = _checked(folder, name)
    try:
        with pq.ParquetFile(str(path), page_checksum_verification=True) as file:
            if file.metadata.num_rows > ROWS:
                raise StoreError(f"{str(path)!r} claims {file.metadata.num_rows} rows; at most {ROWS} are read")
            return file.read()
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, str(error)) from error


def _checked(folder: Path, name: str) -> Path:
    """Return the path of a file, after a check that its hash is in the manifest."""
    path, expected = folder / name, hashes(folder).get(name)
    try:
        digest = _sha256(path)
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    if digest != expected:
        raise _damaged(path, f"its hash is not the one in {MANIFEST}")
    return path


def _damaged(path: Path, why: str) -> StoreError:
    brief = " ".join(why.split())[:200]
    return StoreError(f"{str(path)!r} is damaged ({brief}); remove its folder and run the suite again")


def _digest(content: dict[str, Any]) -> str:
    """Return the digest that a spec with this content has, if its file says nothing else."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
