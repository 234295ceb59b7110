"""Which columns of a table are observables, which one is the time, and why the others are left out."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from chaosbench.errors import DataError
from chaosbench.series.table import Array, Column, Table, is_date, is_number

_TIME = re.compile(r"(time|date|datetime|timestamp|date[ _-]?time|zeit|datum)(\b|_|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Choice:
    """Columns of a table by their positions.

    Attributes:
        observables: what is learned, in order.
        time: the times; None: there are none.
        trial: the names of trials; None: there are none.
        left_out: columns that are not learned, with the reason.
    """

    observables: tuple[int, ...]
    time: int | None
    trial: int | None
    left_out: dict[Column, str] = field(default_factory=dict)


def choose(
    table: Table, name: str, *, columns: Sequence[Column] | None, time: Column | None, trial: Column | None
) -> Choice:
    """Return the columns to read.

    Without `columns`, all are observables but the time, the names of trials, dates, columns that are called time, and a
    first column that only counts.

    Raises:
        DataError: if a column is unknown, named twice, or not numeric.
    """
    clock = None if time is None else position(table, name, time)
    names = None if trial is None else position(table, name, trial)
    reserved = {clock, names}
    left_out: dict[Column, str] = {}
    if columns is None:
        rest = [index for index in range(len(table.names)) if index not in reserved]
        left_out = {table.names[index]: reason for index in rest if (reason := _no_observable(table, index, rest))}
        chosen = [index for index in rest if table.names[index] not in left_out]
    else:
        chosen = []
        for column in columns:
            index = position(table, name, column)
            if index in chosen or index in reserved:
                raise DataError(f"column {column!r} of {name!r} is named twice; name each column once")
            chosen.append(index)
        unused = [index for index in range(len(table.names)) if index not in {*chosen, *reserved}]
        left_out = {table.names[index]: "not in columns" for index in unused}
    for index in chosen:
        _check_numeric(table, index, name)
    if not chosen:
        raise DataError(f"{name!r} has no numeric column to observe; expected at least one")
    return Choice(tuple(chosen), clock, names, left_out)


def position(table: Table, name: str, column: Column) -> int:
    """Return the position of a column that is given by name or position.

    Raises:
        DataError: if there is none.
    """
    if column in table.names:
        return table.names.index(column)
    if isinstance(column, int) and 0 <= column < len(table.names):
        return column
    near = difflib.get_close_matches(str(column), [str(label) for label in table.names], n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near and isinstance(column, str) else "."
    known = ", ".join(repr(label) for label in table.names[:20])
    raise DataError(f"{name!r} has no column {column!r}{hint} Known: {known}.")


def _no_observable(table: Table, index: int, rest: Sequence[int]) -> str | None:
    """Return why a column is not an observable although it was not excluded; None if it is one."""
    label, cells = table.names[index], table.cells[index]
    if is_date(cells):
        return f"dates; time = {label!r} would take the step from them"
    if len(rest) < 2 or not is_number(cells):
        return None
    if isinstance(label, str) and _TIME.match(label.strip()):
        return f"called a time; time = {label!r} would take the step from it"
    if index == 0 and _counts(cells):
        return f"it only counts; time = {label!r} would take the step from it, and columns = [...] would keep it"
    return None


def _counts(cells: Array) -> bool:
    """Return True if values increase by the same step in all rows, or begin again at the same value."""
    if len(cells) < 3 or not np.isfinite(cells).all():
        return False
    scaled = cells / max(float(np.abs(cells).max()), np.finfo(float).tiny)  # differences of huge numbers overflow
    steps = np.diff(scaled)
    usual = float(np.median(steps))
    again = scaled[1:] == scaled[0]
    even = np.abs(steps - usual) <= 1e-6 * abs(usual) + 4 * np.spacing(1.0)
    return usual > 0 and bool((even | again).all()) and int(again.sum()) < len(cells) // 3


def _check_numeric(table: Table, index: int, name: str) -> None:
    """Reject text, dates and infinite values in a column that is to be observed."""
    label, cells = table.names[index], table.cells[index]
    where = f"column {label!r} of {name!r}"
    if not is_number(cells):
        culprits = [row for row, cell in enumerate(cells) if not _reads_as_number(cell)]
        mixed = not is_date(cells) and len(culprits) < len(cells) // 2
        row = culprits[0] if culprits else 0
        raise DataError(
            f"{where} {'has' if mixed else 'is not numeric:'} {str(cells[row])!r} in row {row} (counted from 0); "
            "write a number or leave the cell empty, name the numeric columns in columns = [...], or set trial = "
            f"{label!r} if it names trials"
        )
    infinite = np.flatnonzero(np.isinf(cells))
    if len(infinite):
        row = int(infinite[0])
        raise DataError(
            f"{where} has {str(cells[row])!r} in row {row} (counted from 0); expected a finite number or an empty cell"
        )
    filled = cells[~np.isnan(cells)]
    if len(filled) == 0:
        raise DataError(f"{where} is empty; leave it out of columns")
    if filled.min() == filled.max() and table.rows > 1:
        raise DataError(f"{where} is {filled[0]:g} in all rows; leave it out of columns")


def _reads_as_number(cell: object) -> bool:
    try:
        float(str(cell).strip() or "nan")
    except ValueError:
        return False
    return True
