"""Arrow schemas of the stored tables; the metadata of every field describe it with its unit."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from chaosbench.errors import StoreError, printable

if TYPE_CHECKING:  # at run time the ranking must do without torch
    from chaosbench.experiment import Record, Run

VERSION = 1  # version of the folder's layout and of both schemas
_ADDED = ("seeds_together", "ended")  # columns that tables of earlier versions lack

Row = dict[str, Any]  # the fields of a Run or a Record


def _column(name: str, kind: pa.DataType, description: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


RUNS = pa.schema(
    [
        _column("experiment", pa.string(), "digest of the experiment, SHA-256 in hexadecimal"),
        _column("suite", pa.string(), "name of the suite"),
        _column("seed", pa.int64(), "seed of initial weights, data windows and noise"),
        _column("system", pa.string(), "label of the system"),
        _column("data", pa.string(), "label of the data"),
        _column("model", pa.string(), "label of the model"),
        _column("trainer", pa.string(), "label of the trainer"),
        _column("status", pa.string(), "ok, diverged, failed, crashed, timeout, oom or skipped"),
        _column(
            "message", pa.string(), "reason for a status other than ok, or for suspecting a run whose status is ok"
        ),
        _column("parameters", pa.int64(), "number of trained parameters of one seed; null: not given", nullable=True),
        _column("updates", pa.int64(), "[updates] number of updates done, those of a search included"),
        _column(
            "train_seconds",
            pa.float64(),
            "[s] wall time of training all seeds, that of a search included, divided by their number",
            nullable=True,
        ),
        _column("total_seconds", pa.float64(), "[s] the same for data, training and scoring together", nullable=True),
        _column("device", pa.string(), "device on which the model was trained"),
        _column("started", pa.timestamp("us", tz="UTC"), "start of the run, UTC"),
        _column(
            "provenance",
            pa.map_(pa.string(), pa.string()),
            "what the run ran on: versions, machine, command, source code, data",
        ),
        _column("seeds_together", pa.int64(), "K, number of seeds trained as one batch; null: the rows", nullable=True),
        _column("ended", pa.timestamp("us", tz="UTC"), "end of the run, UTC; null in older results", nullable=True),
    ],
    metadata={"chaosbench_schema": str(VERSION), "description": "a row per seed of an experiment"},
)

PROVENANCE = {
    "chaosbench": "version of chaosbench",
    "commit": "commit of its repository; `-dirty` if tracked files differ, `-archive` in an unpacked archive",
    "plug-in NAME": "version of each plug-in that was loaded, or SHA-256 of a file given by `--plugin`",
    "package NAME": "version of each installed package, outside chaosbench, that defines a kind of the experiment",
    "torch": "version of torch",
    "cuda": "version of CUDA that torch was built with; `none`: for a CPU",
    "numpy": "version of numpy",
    "numba": "version of numba; `none`: networks ran in plain torch",
    "python": "version of Python",
    "platform": "operating system",
    "processor": "name of the processor",
    "instructions": "instruction set of torch's CPU kernels, on which the last bits of results depend",
    "host": "hash that is equal for runs on one machine",
    "threads": "number of threads of torch",
    "deterministic": "whether torch was told to use deterministic algorithms only",
    "dtype": "precision of training and evaluation",
    "data": "SHA-256 of the orbits of training, validation and test, as trained on and evaluated with",
    "seeds": "seeds of the experiment, which trained together, in order",
    "trained_with": "the other experiments of a batch, by the first 12 digits of their digests",
    "command": "the command that ran it; of a script or notebook its name",
}  # keys of `provenance`; results of earlier versions, and runs that were lost, lack some of them

RECORDS = pa.schema(
    [
        _column("experiment", pa.string(), "digest of the experiment, SHA-256 in hexadecimal"),
        _column("seed", pa.int64(), "seed of the run"),
        _column("name", pa.string(), "label of the metric or diagnostic"),
        _column(
            "value", pa.float64(), "the number, in `unit`; null where it is not finite or not defined", nullable=True
        ),
        _column("floor", pa.float64(), "the same number for the truth itself, in `unit`", nullable=True),
        _column("unit", pa.string(), "unit of value and floor; 1 for a pure number"),
        _column("better", pa.string(), "lower or higher; empty where neither is better"),
        _column("update", pa.int64(), "[updates] done when it was recorded; null: after training", nullable=True),
    ],
    metadata={"chaosbench_schema": str(VERSION), "description": "a row per number of a run"},
)


def runs_table(runs: Iterable["Run"]) -> pa.Table:
    """Return the runs as a table with schema `RUNS`."""
    rows = [_finite(dataclasses.asdict(run)) for run in runs]
    return pa.Table.from_pylist([{**row, "provenance": sorted(row["provenance"].items())} for row in rows], schema=RUNS)


def records_table(records: Iterable["Record"]) -> pa.Table:
    """Return the records as a table with schema `RECORDS`."""
    return pa.Table.from_pylist([_finite(dataclasses.asdict(record)) for record in records], schema=RECORDS)


def require_known(metadata: Mapping[bytes, bytes] | None, path: str) -> None:
    """Refuse a table that a later version of chaosbench wrote, whose columns may mean something else.

    Raises:
        StoreError: where its version is above `VERSION`, or no number.
    """
    text = (metadata or {}).get(b"chaosbench_schema", b"0").decode(errors="replace")
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) > VERSION:
        raise StoreError(
            f"{path!r} has version {text[:20]!r}; this chaosbench reads up to {VERSION}; update chaosbench"
        )


def rows(table: pa.Table, schema: pa.Schema) -> tuple[Row, ...]:
    """Return the rows of a stored table.

    Raises:
        StoreError: where its columns are not those of `schema`.
    """
    for name in _ADDED:
        if name in schema.names and name not in table.column_names:
            table = table.append_column(schema.field(name), pa.nulls(len(table), schema.field(name).type))
    if sorted(table.column_names) != sorted(schema.names):
        raise StoreError(
            f"columns {table.column_names} where {schema.names} were expected; was it written by chaosbench?"
        )
    # Cast, because a Parquet round trip renames the items of a map, so that the types differ.
    content: list[Row] = table.select(schema.names).cast(schema).to_pylist()
    for row in content:
        if "provenance" in row:
            row["provenance"] = dict(row["provenance"])
    return tuple({name: _printable(value) for name, value in row.items()} for row in content)


def _finite(row: Row) -> Row:
    """Replace NaN and infinity by None, because some readers compute wrong medians of columns with NaN."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else _printable(value)
        for name, value in row.items()
    }


def _printable(value: Any) -> Any:
    """Return a value whose texts neither steer a terminal nor fail to be encoded."""
    if isinstance(value, dict):
        return {printable(str(key)): _printable(one) for key, one in value.items()}
    return printable(value) if isinstance(value, str) else value
