"""The Parquet files under `benchmarks/results` that keep all lines, one for each benchmark and machine."""

import re
from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.lines import Line, Stored, Where
from chaosbench.files import write_whole

RESULTS = Path(__file__).parent / "results"
_TYPES = {str: pa.string(), float: pa.float64(), int: pa.int64(), datetime: pa.timestamp("s", tz="UTC")}


def append(lines: Iterable[Line], where: Where, folder: Path = RESULTS) -> None:
    """Append lines to the file of their benchmark and machine."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.benchmark, []).append(line)
    folder.mkdir(exist_ok=True)
    for benchmark, group in groups.items():
        path = folder / f"{benchmark}-{_slug(where.device if where.device != 'cpu' else where.machine)}.parquet"
        rows = [asdict(line) | asdict(where) for line in group]
        table = pa.Table.from_pylist(rows, schema=SCHEMA)
        whole = pa.concat_tables([pq.read_table(path, schema=SCHEMA), table]) if path.exists() else table
        write_whole(path, lambda temporary, whole=whole: pq.write_table(whole, temporary, write_page_checksum=True))


def read(folder: Path = RESULTS) -> list[Stored]:
    """Return all lines, the older ones first."""
    rows = [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path, schema=SCHEMA).to_pylist()]
    stored = [Stored(_part(Line, row), _part(Where, row)) for row in rows]
    return sorted(stored, key=lambda one: one.where.date)


def latest(stored: Iterable[Stored]) -> list[Stored]:
    """Return the last measurement of each quantity on each machine; a number is not replaced by a reason."""
    newest: dict[tuple[Any, ...], Stored] = {}
    for one in stored:
        line, where = one.line, one.where
        size = (line.K, line.T, line.M, line.experiments, line.phase)
        key = (where.machine, where.device, line.benchmark, line.what, line.rival, *size)
        if not line.reason or key not in newest or newest[key].line.reason:
            newest[key] = one
    return list(newest.values())


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _part(kind: type[Any], row: dict[str, Any]) -> Any:
    return kind(**{field.name: row[field.name] for field in fields(kind)})


def _column(field: Any) -> pa.Field:
    optional = isinstance(field.type, UnionType)
    return pa.field(field.name, _TYPES[get_args(field.type)[0] if optional else field.type], nullable=optional)


SCHEMA = pa.schema([_column(field) for kind in (Line, Where) for field in fields(kind)])
