"""The folder of one experiment: five files, and a manifest of their hashes that is written last."""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save

from chaosbench.errors import StoreError
from chaosbench.files import flush
from chaosbench.leaderboard.schema import RECORDS, RUNS, VERSION, Row, records_table, rows, runs_table

if TYPE_CHECKING:  # at run time the ranking must do without torch
    from chaosbench.experiment import Result

Arrays = dict[str, np.ndarray[Any, Any]]

FINISHED = frozenset({"ok", "diverged"})  # statuses that are results; every other may be tried again
MANIFEST = "manifest.json"  # SHA-256 of every other file; a folder that has it is whole
ROWS = 20_000_000  # more than any experiment writes; a small file can claim to hold far more


@dataclass(frozen=True)
class Stored:
    """A published experiment, read without torch and without the plug-ins that made it.

    Attributes:
        folder: where it lies.
        identity: equal for experiments whose seeds may be pooled.
        experiment: its full content as JSON.
        runs, records: rows with the fields of `Run` and `Record`.
    """

    folder: Path
    identity: str
    experiment: dict[str, Any]
    runs: tuple[Row, ...]
    records: tuple[Row, ...]

    @property
    def retryable(self) -> bool:
        """Whether no seed came to a result, so that running it again may replace it."""
        return not any(run["status"] in FINISHED for run in self.runs)

    @property
    def median_run(self) -> int:
        """Index into `runs` of the seed that is median by the first metric; a diverged seed ranks last."""
        finals = [row for row in self.records if row["update"] is None and row["better"]]
        named = [row for row in finals if row["name"] == finals[0]["name"]]
        sign = -1 if named and named[0]["better"] == "higher" else 1
        costs = {row["seed"]: sign * row["value"] for row in named if row["value"] is not None}
        order = sorted(range(len(self.runs)), key=lambda index: costs.get(self.runs[index]["seed"], math.inf))
        return order[(len(order) - 1) // 2]


def fill(folder: Path, result: "Result") -> None:
    """Write every file of a result, the manifest last, and bring them to the disk."""
    experiment = result.experiment
    spec = {
        "schema": VERSION,
        "digest": experiment.digest(),
        "identity": experiment.identity,
        "experiment": experiment.model_dump(mode="json"),
    }
    _dump(folder / "spec.json", spec)
    for name, table in (("runs.parquet", runs_table(result.runs)), ("records.parquet", records_table(result.records))):
        # By path: given a Python file object with torch imported, pyarrow may abort the process at exit.
        pq.write_table(table, str(folder / name), write_page_checksum=True, compression="zstd")
    for name, arrays in (("forecast.safetensors", result.arrays), ("weights.safetensors", result.weights)):
        # Contiguous: safetensors writes the buffer of a view as it lies, which is another array. Not save_file, which
        # makes files that only their owner can read.
        (folder / name).write_bytes(save({key: np.ascontiguousarray(array) for key, array in arrays.items()}))
    hashes = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    _dump(folder / MANIFEST, {"schema": VERSION, "files": hashes})
    for path in (*folder.iterdir(), folder):
        flush(path)


def read(folder: Path) -> Stored:
    """The experiment in a published folder, every byte of it checked against the manifest."""
    spec = json.loads(_checked(folder, "spec.json").read_text(encoding="utf-8"))
    if spec.get("schema") != VERSION:
        raise StoreError(f"{str(folder)!r} has layout {spec.get('schema')!r}; this chaosbench reads layout {VERSION}")
    runs = rows(_table(folder, "runs.parquet"), RUNS)
    records = rows(_table(folder, "records.parquet"), RECORDS)
    return Stored(folder, spec["identity"], spec["experiment"], runs, records)


def forecast(folder: Path) -> Arrays:
    """The arrays that the pictures are drawn from."""
    return load_file(_checked(folder, "forecast.safetensors"))


def weights(folder: Path) -> Arrays:
    """The trained weights; leading axis: the seeds in order."""
    return load_file(_checked(folder, "weights.safetensors"))


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of the folder, as its manifest has them."""
    path = folder / MANIFEST
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["files"]
    except FileNotFoundError as error:
        raise StoreError(f"{str(folder)!r} holds no finished experiment: it has no {MANIFEST}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, str(error)) from error
    return found


def _table(folder: Path, name: str) -> pa.Table:
    """A Parquet file of the folder, its pages checked, refused before decoding if it claims too much."""
    path = _checked(folder, name)
    try:
        with pq.ParquetFile(str(path), page_checksum_verification=True) as file:
            if file.metadata.num_rows > ROWS:
                raise StoreError(f"{str(path)!r} claims {file.metadata.num_rows} rows; at most {ROWS} are read")
            return file.read()
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, str(error)) from error


def _checked(folder: Path, name: str) -> Path:
    """The path of a file of the folder whose bytes are those of the manifest."""
    path, expected = folder / name, hashes(folder).get(name)
    try:
        found = _sha256(path)
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    if found != expected:
        raise _damaged(path, f"its bytes are not those of {MANIFEST}")
    return path


def _damaged(path: Path, why: str) -> StoreError:
    brief = " ".join(why.split())[:200]
    return StoreError(f"{str(path)!r} is damaged ({brief}); remove its folder and run the suite again")


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
