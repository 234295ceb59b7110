"""The table of a published board at rest: a row per run with a column per metric, as Parquet and CSV."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from chaosbench.files import write_whole
from chaosbench.leaderboard.layouts import to_csv
from chaosbench.leaderboard.schema import Row


def _column(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


BOARD = pa.schema(
    [
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
        _column("updates", pa.int64(), "[updates] number of updates done"),
        _column("train_seconds", pa.float64(), "[s] wall time of training per seed"),
        _column("device", pa.string(), "device on which the model was trained"),
        _column("started", pa.timestamp("us", tz="UTC"), "start of the run, UTC"),
        _column("chaosbench", pa.string(), "version of chaosbench"),
        _column("experiment", pa.string(), "digest of the experiment, SHA-256 in hexadecimal"),
    ],
    metadata={"description": "a row per run of every submission"},
)  # the columns of every board; each metric adds two
VERIFIED = ("submission", "level")  # columns that the board fills; nobody can hand them in


def schema(suite: str, metrics: Mapping[str, str]) -> pa.Schema:
    """Return the Arrow schema of a board.

    Args:
        suite: its name.
        metrics: the unit of each metric by its label; each has its value and that of the truth.
    """
    scores = [
        pa.field(name, pa.float64(), metadata={"description": description, **({"unit": unit} if unit else {})})
        for metric, unit in metrics.items()
        for name, description in (
            (metric, f"the metric {metric}; null where it is not defined"),
            (f"{metric}.floor", f"{metric} of another true orbit"),
        )
    ]
    return pa.schema([*BOARD, *scores], metadata={"suite": suite, **_decoded(BOARD.metadata)})


def arrow_table(rows: Sequence[Row], content: pa.Schema) -> pa.Table:
    """Return the rows as an Arrow table with a schema."""
    return pa.Table.from_pylist(list(rows), schema=content)


def write_parquet(rows: Sequence[Row], path: Path, content: pa.Schema) -> None:
    """Write the rows as Parquet, with units and descriptions of the columns."""
    table = arrow_table(rows, content)
    write_whole(path, lambda beside: pq.write_table(table, str(beside), write_page_checksum=True, compression="zstd"))


def csv_text(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Return these columns of the rows as CSV; a text that a spreadsheet would execute begins with an apostrophe."""
    return to_csv([{name: row.get(name) for name in names} for row in rows], names)


def write_csv(rows: Sequence[Row], path: Path, content: pa.Schema) -> None:
    """Write the rows as CSV, in the columns of a schema."""
    text = csv_text(rows, content.names)
    write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def plain_parquet(path: Path) -> bytes:
    """Return a Parquet file in a compression that the reader of the page knows."""
    buffer = path.with_name(f".{path.name}.page")
    try:
        pq.write_table(pq.read_table(str(path)), str(buffer), compression="snappy", use_dictionary=True)
        return buffer.read_bytes()
    finally:
        buffer.unlink(missing_ok=True)


def _decoded(metadata: Mapping[bytes, bytes]) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in metadata.items()}
