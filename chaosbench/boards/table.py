"""The table of a board: a row per run, with a column per metric, as Parquet and CSV."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chaosbench.boards.lock import Lock
from chaosbench.files import write_whole
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.schema import Row
from chaosbench.leaderboard.submissions import Submission

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # at the start of a cell, spreadsheets execute what follows


def _column(name: str, kind: pa.DataType, description: str, unit: str = "") -> pa.Field:
    metadata = {"description": description, **({"unit": unit} if unit else {})}
    return pa.field(name, kind, metadata=metadata)


_FIXED = (
    _column("submission", pa.string(), "folder of the submission"),
    _column("level", pa.string(), "how far it was checked: listed, valid, re-scored, re-run, bitwise or refuted"),
    _column("system", pa.string(), "label of the system"),
    _column("data", pa.string(), "label of the data"),
    _column("model", pa.string(), "label of the model"),
    _column("trainer", pa.string(), "label of the trainer"),
    _column("seed", pa.int64(), "seed of initial weights, data windows and noise"),
    _column("status", pa.string(), "ok, diverged, failed, crashed, timeout, oom or skipped"),
    _column("message", pa.string(), "reason for another status than ok, or for suspecting the run"),
    _column("parameters", pa.int64(), "trained parameters of one seed"),
    _column("updates", pa.int64(), "updates done"),
    _column("train_seconds", pa.float64(), "wall time of training per seed", "s"),
    _column("device", pa.string(), "device on which the model was trained"),
    _column("started", pa.timestamp("us", tz="UTC"), "start of the run, UTC"),
    _column("chaosbench", pa.string(), "version of chaosbench"),
    _column("experiment", pa.string(), "digest of the experiment, SHA-256 in hexadecimal"),
)


def rows_of(submissions: Iterable[Submission], levels: Mapping[str, str], lock: Lock) -> list[Row]:
    """Return a row per run of all submissions, in the order of their folders, systems, methods and seeds."""
    metrics = _metrics(lock)
    found = [
        _row(submission, stored, run, levels, metrics)
        for submission in submissions
        for stored in submission.experiments
        for run in stored.runs
    ]
    return sorted(
        found, key=lambda row: tuple(row[name] for name in ("submission", "system", "data", "model", "trainer", "seed"))
    )


def schema(lock: Lock, rows: Sequence[Row] = ()) -> pa.Schema:
    """Return the Arrow schema of a board: fixed columns, and for each metric its value and that of the truth."""
    units = {name: row["_units"].get(name, "") for row in rows for name in row["_units"]}
    scores = [
        field
        for name in _metrics(lock)
        for field in (
            _column(name, pa.float64(), f"the metric {name}; null where it is not defined", units.get(name, "")),
            _column(f"{name}.floor", pa.float64(), f"{name} of another true orbit", units.get(name, "")),
        )
    ]
    metadata = {"suite": lock.suite, "description": "a row per run of every submission"}
    return pa.schema([*_FIXED, *scores], metadata=metadata)


def write_parquet(rows: Sequence[Row], path: Path, lock: Lock) -> None:
    """Write the rows as Parquet, with units and descriptions of the columns."""
    table = pa.Table.from_pylist(list(rows), schema=schema(lock, rows))
    write_whole(path, lambda beside: pq.write_table(table, str(beside), write_page_checksum=True, compression="zstd"))


def write_csv(rows: Sequence[Row], path: Path, lock: Lock) -> None:
    """Write the rows as CSV; a text that a spreadsheet would execute begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.DictWriter(text, schema(lock).names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    write_whole(path, lambda beside: beside.write_text(text.getvalue(), encoding="utf-8"))


def _metrics(lock: Lock) -> list[str]:
    return list(dict.fromkeys(name for demand in lock.boards for name in demand.metrics))


def _row(
    submission: Submission, stored: Stored, run: Row, levels: Mapping[str, str], metrics: Sequence[str]
) -> dict[str, Any]:
    finals = {
        row["name"]: row
        for row in stored.records
        if row["seed"] == run["seed"] and row["update"] is None and row["better"]
    }
    fixed = {name: run[name] for name in run.keys() & {field.name for field in _FIXED}}
    scores = {
        key: finals[name][part] if name in finals else None
        for name in metrics
        for key, part in ((name, "value"), (f"{name}.floor", "floor"))
    }
    return {
        **fixed,
        **scores,
        "submission": submission.folder.name,
        "level": levels[submission.folder.name],
        "chaosbench": run["provenance"].get("chaosbench", ""),
        "_units": {name: finals[name]["unit"] for name in metrics if name in finals},
    }


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
