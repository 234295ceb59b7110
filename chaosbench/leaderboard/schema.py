"""Explicit Arrow schemas of the stored tables; every field says what it holds and in which unit."""

import dataclasses
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from chaosbench.errors import StoreError

if TYPE_CHECKING:  # at run time the ranking must do without torch
    from chaosbench.experiment import Record, Run

VERSION = 1  # of the folder's layout and of both schemas

Row = dict[str, Any]  # a row as it lies in the file: the fields of a Run or a Record


def _column(name: str, kind: pa.DataType, description: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


RUNS = pa.schema(
    [
        _column("experiment", pa.string(), "digest of the experiment, SHA-256 in hexadecimal"),
        _column("suite", pa.string(), "name of the suite that asked"),
        _column("seed", pa.int64(), "seed of initial weights, data windows and noise"),
        _column("system", pa.string(), "label of the system"),
        _column("data", pa.string(), "label of the data"),
        _column("model", pa.string(), "label of the model"),
        _column("trainer", pa.string(), "label of the trainer"),
        _column("status", pa.string(), "ok, diverged, failed, crashed, timeout, oom or skipped"),
        _column("message", pa.string(), "why, where the status is not ok; or what is suspicious about a run that is"),
        _column("parameters", pa.int64(), "trained numbers of one seed"),
        _column("updates", pa.int64(), "[updates] done"),
        _column(
            "train_seconds", pa.float64(), "[s] wall time of training all seeds, divided by their number", nullable=True
        ),
        _column("total_seconds", pa.float64(), "[s] the same for data, training and scoring together", nullable=True),
        _column("device", pa.string(), "device that trained"),
        _column("started", pa.timestamp("us", tz="UTC"), "start of the run, UTC"),
        _column("provenance", pa.map_(pa.string(), pa.string()), "versions of what made the numbers"),
    ],
    metadata={"chaosbench_schema": str(VERSION), "description": "a row per seed of an experiment"},
)

RECORDS = pa.schema(
    [
        _column("experiment", pa.string(), "digest of the experiment, SHA-256 in hexadecimal"),
        _column("seed", pa.int64(), "seed of the run"),
        _column("name", pa.string(), "label of the metric or diagnostic"),
        _column("value", pa.float64(), "the number, in `unit`; null where the run diverged", nullable=True),
        _column("floor", pa.float64(), "the same number of the truth beside itself, in `unit`", nullable=True),
        _column("unit", pa.string(), "unit of value and floor; 1 for a pure number"),
        _column("better", pa.string(), "lower or higher; empty where neither is better"),
        _column("update", pa.int64(), "[updates] done when it was taken; null: of the finished model", nullable=True),
    ],
    metadata={"chaosbench_schema": str(VERSION), "description": "a row per number of a run"},
)


def runs_table(runs: Iterable["Run"]) -> pa.Table:
    """The runs as a table of schema `RUNS`."""
    rows = [{**_finite(dataclasses.asdict(run)), "provenance": sorted(run.provenance.items())} for run in runs]
    return pa.Table.from_pylist(rows, schema=RUNS)


def records_table(records: Iterable["Record"]) -> pa.Table:
    """The records as a table of schema `RECORDS`."""
    return pa.Table.from_pylist([_finite(dataclasses.asdict(record)) for record in records], schema=RECORDS)


def rows(table: pa.Table, schema: pa.Schema) -> tuple[Row, ...]:
    """The rows of a stored table whose columns must be those of `schema`."""
    if table.column_names != schema.names:
        raise StoreError(
            f"columns {table.column_names} where {schema.names} were expected; was it written by chaosbench?"
        )
    # Cast, not compared: a Parquet round trip renames the items of a map.
    found: list[Row] = table.cast(schema).to_pylist()
    for row in found:
        if "provenance" in row:
            row["provenance"] = dict(row["provenance"])
    return tuple(found)


def _finite(row: Row) -> Row:
    """The row with null for NaN and infinity: a median over one NaN of three comes out wrong in some readers."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }
