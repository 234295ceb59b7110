"""Read a file of recorded data, and reject files that no model can be trained on."""

import csv
import difflib
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from chaosbench.errors import DataError

Array = np.ndarray[Any, np.dtype[np.float64]]
Column = int | str

_SHORTEST = 100  # rows; statistics of fewer are meaningless
_JITTER = 0.01  # share of a step by which times may deviate; rounding to few digits changes them by less


def read_series(
    name: str, *, columns: tuple[Column, ...] | None, time: Column | None, sha256: str | None
) -> tuple[Array, float | None]:
    """Read columns of a `.npy`, `.csv` or `.parquet` file; the result is cached until the file changes.

    Args:
        name: the path, absolute or relative to the working directory.
        columns: names or positions; None: all numeric columns except the time.
        time: the column of times, which must increase evenly.
        sha256: checksum of the file; None: not checked.

    Returns:
        The series `(T, D)`, which must not be modified, and the step of the times if there is a column of times.

    Raises:
        DataError: if the file cannot be used; the message is one line that names file, column and row.
    """
    path = Path(name).expanduser().absolute()
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(
            f"the file {name!r} cannot be opened: {error.strerror} (the working directory is {str(Path.cwd())!r}); "
            "correct the path"
        ) from error
    return _load(path, (status.st_mtime_ns, status.st_size), name, columns, time, sha256)


@lru_cache(maxsize=4)
def _load(
    path: Path,
    stamp: tuple[int, int],  # noqa: ARG001  # part of the cache key
    name: str,
    columns: tuple[Column, ...] | None,
    time: Column | None,
    sha256: str | None,
) -> tuple[Array, float | None]:
    """Return the checked series `(T, D)`, and its time step if there is a column of times."""
    readers = {".npy": _npy_columns, ".csv": _csv_columns, ".parquet": _parquet_columns}
    if path.suffix.lower() not in readers:
        raise DataError(f"{name!r} has an unknown format; expected {', '.join(readers)}")
    try:
        content_digest = _digest(path) if sha256 else None
        table: list[tuple[Column, Any]] = readers[path.suffix.lower()](path)
    except (OSError, ValueError, csv.Error, EOFError) as error:  # pyarrow's errors derive from these
        cause = " ".join(str(error).split())
        raise DataError(f"{name!r} cannot be read as {path.suffix}: {cause or type(error).__name__}") from error
    if content_digest != sha256:
        raise DataError(f"{name!r} has the sha256 {content_digest}, expected {sha256}; the file differs or is damaged")
    return _checked(table, name, columns, time)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _npy_columns(path: Path) -> list[tuple[Column, Any]]:
    array = np.load(path, allow_pickle=False)
    if not isinstance(array, np.ndarray) or array.ndim not in (1, 2) or array.dtype.kind not in "biuf":
        content = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise ValueError(f"it holds {content}; expected real numbers of shape (T,) or (T, D)")
    table = array if array.ndim == 2 else array[:, None]
    return list(enumerate(table.astype(np.float64).T))


def _csv_columns(path: Path) -> list[tuple[Column, Any]]:
    """Read cells as text, because pyarrow would infer the type of a column from its first megabyte."""
    import pyarrow
    from pyarrow import csv as arrow_csv

    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline()
    delimiter = next((mark for mark in ";\t" if mark in line), ",")
    header = next(csv.reader([line], delimiter=delimiter), [])
    named = not all(_number(cell) is not None for cell in header)
    names = header if named else [str(index) for index in range(len(header))]
    table = arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names, skip_rows=int(named)),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pyarrow.string()), strings_can_be_null=True
        ),
    )
    return [(name.strip() if named else index, table.column(index)) for index, name in enumerate(names)]


def _parquet_columns(path: Path) -> list[tuple[Column, Any]]:
    from pyarrow import parquet

    table = parquet.read_table(path)
    return list(zip(table.column_names, table.columns, strict=True))


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None


def _checked(
    table: list[tuple[Column, Any]], name: str, columns: Sequence[Column] | None, time: Column | None
) -> tuple[Array, float | None]:
    """Return the chosen columns as finite, varying numbers `(T, D)`, and the step of the times."""
    if not table or len(table[0][1]) < _SHORTEST:
        rows = len(table[0][1]) if table else 0
        raise DataError(f"{name!r} has {rows} rows; expected at least {_SHORTEST}")
    clock = None if time is None else _position(table, name, time)
    if columns is None:
        read = {index: _numbers(table[index], name) for index in range(len(table)) if index != clock}
        chosen = {index: values for index, values in read.items() if values is not None}
    else:
        chosen = {}
        for column in columns:
            index = _position(table, name, column)
            if index in chosen or index == clock:
                raise DataError(f"column {column!r} of {name!r} is named twice; name each column once")
            chosen[index] = _required_numbers(table[index], name)
    if not chosen:
        raise DataError(f"{name!r} has no numeric column to observe; expected at least one")
    for index, values in chosen.items():
        if values.min() == values.max():
            raise DataError(
                f"column {table[index][0]!r} of {name!r} is {values[0]:g} in all rows; leave it out of columns"
            )
    step = None if clock is None else _uniform_step(_required_numbers(table[clock], name), name, table[clock][0])
    return np.stack(list(chosen.values()), axis=1), step


def _position(table: list[tuple[Column, Any]], name: str, column: Column) -> int:
    """Return the position of a column that is given by name or position."""
    names = [label for label, _ in table]
    if column in names:
        return names.index(column)
    if isinstance(column, int) and 0 <= column < len(table):
        return column
    near = difflib.get_close_matches(str(column), [str(label) for label in names], n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near and isinstance(column, str) else "."
    raise DataError(f"{name!r} has no column {column!r}{hint} Known: {', '.join(repr(label) for label in names[:20])}.")


def _required_numbers(column: tuple[Column, Any], name: str) -> Array:
    """Return the numbers of a column that must be numeric."""
    values = _numbers(column, name)
    if values is None:
        raise DataError(
            f"column {column[0]!r} of {name!r} is not numeric: row 0 (counted from 0) is {str(column[1][0])!r}; "
            "write numbers, or choose other columns"
        )
    return values


def _numbers(column: tuple[Column, Any], name: str) -> Array | None:
    """Return the finite numbers of a column, or None if no cell is a number; a mixture is an error."""
    label, cells = column
    is_arrow = not isinstance(cells, np.ndarray)
    values = _cast(cells) if is_arrow else cells
    bad = np.flatnonzero(~np.isfinite(values))
    if is_arrow and len(bad) == len(values):
        return None
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"column {label!r} of {name!r} has {str(cells[row])!r} in row {row} (counted from 0); expected a finite "
            "number: fill or remove the gap, or choose other columns"
        )
    return values


def _cast(cells: Any) -> Array:
    """Convert pyarrow cells to float64, with NaN for cells that are not numbers."""
    import pyarrow
    from pyarrow import compute

    try:
        text = pyarrow.types.is_string(cells.type)
        cast = (compute.utf8_trim_whitespace(cells) if text else cells).cast(pyarrow.float64())
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        parsed = [_number(cell) for cell in cells.to_pylist()]
        return np.array([np.nan if value is None else value for value in parsed])
    values: Array = cast.to_numpy().astype(np.float64)
    return values


def _uniform_step(times: Array, name: str, label: Column) -> float:
    """Return the step of the times, which must increase evenly."""
    steps = np.diff(times)
    usual = float(np.median(steps))
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0))
        raise DataError(
            f"the time in column {label!r} of {name!r} does not increase from row {row} to {row + 1} (counted from 0): "
            f"{times[row]:g}, {times[row + 1]:g}; sort the rows, or remove repeated ones"
        )
    uneven = np.abs(steps - usual) > _JITTER * usual + 4 * np.spacing(np.abs(times).max())
    if uneven.any():
        row = int(np.argmax(uneven))
        raise DataError(
            f"the times in column {label!r} of {name!r} are {usual:g} apart, but {steps[row]:g} from row {row} to "
            f"{row + 1} (counted from 0); resample the series, or cut it at the gap"
        )
    return float(f"{(times[-1] - times[0]) / len(steps):.9g}")  # nine digits remove the rounding errors of the times
