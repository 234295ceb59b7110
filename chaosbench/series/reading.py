"""Read recorded files into trials: stretches of rows without a gap, evenly spaced in time."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from chaosbench.errors import DataError
from chaosbench.formats import counted
from chaosbench.series import formats, times
from chaosbench.series.columns import Choice, choose
from chaosbench.series.table import Array, Column, Table

_SHORTEST = 100  # rows of all trials; statistics of fewer are meaningless

Stamp = tuple[str, int, int]


@dataclass(frozen=True)
class Reading:
    """How files are read; equal readings of unchanged files give the same trials.

    Attributes:
        columns: names or positions of the observables; None: all numeric columns.
        time: the column of times.
        trial: the column that names the trial of a row.
        array: name of the array in a file that holds several.
        axes: what the axes of an array are: N trials, T time, D observables.
        interpolate: step at which uneven times are interpolated [system time]; None: they are refused.
        time_unit: unit of dates; None: chosen.
    """

    columns: tuple[Column, ...] | None = None
    time: Column | None = None
    trial: Column | None = None
    array: str | None = None
    axes: str | None = None
    interpolate: float | None = None
    time_unit: str | None = None


@dataclass(frozen=True)
class Recorded:
    """The content of files.

    Attributes:
        trials: for each trial, `(T, D)` with rows of NaN in its gaps; they must not be modified.
        observables: names of the D columns.
        left_out: columns that are not learned, with the reason.
        step: step of the times [system time]; None without a column of times.
        time_unit: unit of the times, if they are dates.
    """

    trials: tuple[Array, ...]
    observables: tuple[Column, ...]
    left_out: dict[Column, str]
    step: float | None
    time_unit: str

    @property
    def rows(self) -> int:
        """Number of rows of all trials, without gaps."""
        return sum(int((~np.isnan(trial).any(axis=1)).sum()) for trial in self.trials)

    @property
    def gaps(self) -> int:
        """Number of stretches without values within trials."""
        return sum(max(0, len(pieces(trial)) - 1) for trial in self.trials)


def read(paths: Sequence[str], reading: Reading, *, sha256: str | None = None) -> Recorded:
    """Read files as trials; the result is cached until a file changes.

    Args:
        paths: files, folders or patterns.
        reading: columns, time and trials.
        sha256: expected `content_checksum`; None: not checked.

    Raises:
        DataError: if a file cannot be used; the message is one line that names file, column and row.
    """
    found = content_checksum(paths) if sha256 is not None else None
    if found != sha256:
        raise DataError(
            f"{_together(paths)!r} has the sha256 {found}, expected {sha256}; the file has changed or is damaged"
        )
    return _read(_stamps(paths), _together(paths), reading)


def content_checksum(paths: Sequence[str]) -> str:
    """Return the SHA-256 of a file's bytes, or of the checksums of several files in order, in hexadecimal.

    Raises:
        DataError: if a file cannot be opened.
    """
    checksums = [_checksum(stamp) for stamp in _stamps(paths)]
    return checksums[0] if len(checksums) == 1 else hashlib.sha256("\n".join(checksums).encode()).hexdigest()


def pieces(trial: Array) -> list[Array]:
    """Return the stretches of a trial `(T, D)` without NaN, in order."""
    valid = ~np.isnan(trial).any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], valid.view(np.int8), [0]])))
    return [trial[start:stop] for start, stop in edges.reshape(-1, 2)]


def _stamps(paths: Sequence[str]) -> tuple[Stamp, ...]:
    return tuple(formats.stamp(file, str(path)) for path in paths for file in formats.files_of(path))


def _together(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


@lru_cache(maxsize=256)
def _checksum(stamp: Stamp) -> str:
    try:
        return formats.checksum(Path(stamp[0]))
    except OSError as error:
        raise DataError(f"the file {stamp[0]!r} cannot be read: {error.strerror}") from error


@lru_cache(maxsize=8)
def _read(stamps: tuple[Stamp, ...], name: str, reading: Reading) -> Recorded:
    """Return the content of files that are identified by path, time of change and size."""
    tables: list[Table] = []
    for path, *_ in stamps:
        shown = name if len(stamps) == 1 else Path(path).name
        tables += formats.read_file(Path(path), shown, array=reading.array, axes=reading.axes)
    _check_same_columns(tables, name)
    rows = sum(table.rows for table in tables)
    if rows < _SHORTEST:
        hint = _transposed_hint(tables) if rows < _SHORTEST // 2 else ""
        raise DataError(f"{name!r} has {counted(rows, 'row')}; expected at least {_SHORTEST}{hint}")
    stacked = zip(*(table.cells for table in tables), strict=True)
    whole = Table(tables[0].names, tuple(map(np.concatenate, stacked)))
    choice = choose(whole, name, columns=reading.columns, time=reading.time, trial=reading.trial)
    groups = [part for table in tables for part in _by_trial(table, choice.trial)]
    trials, step, unit = _evenly_spaced(groups, choice, reading, name)
    return Recorded(trials, tuple(whole.names[index] for index in choice.observables), choice.left_out, step, unit)


def _check_same_columns(tables: Sequence[Table], name: str) -> None:
    for table in tables:
        same_kinds = [a.dtype.kind == b.dtype.kind for a, b in zip(tables[0].cells, table.cells, strict=False)]
        if table.names != tables[0].names or not all(same_kinds):
            first, other = ([*map(str, each.names)] for each in (tables[0], table))
            raise DataError(
                f"the files of {name!r} differ in their columns, or in which of them are numbers: {', '.join(first)} "
                f"and {', '.join(other)}; all trials need the same columns"
            )


def _transposed_hint(tables: Sequence[Table]) -> str:
    wide = max(len(table.names) for table in tables)
    return f"; it has {wide} columns: if time runs along the second axis, set axes = 'DT'" if wide >= _SHORTEST else ""


def _by_trial(table: Table, column: int | None) -> list[Table]:
    """Split a table by the names in a column, in the order of their first rows."""
    if column is None:
        return [table]
    labels = np.array([str(cell) for cell in table.cells[column]])
    names, first = np.unique(labels, return_index=True)
    return [
        Table(table.names, tuple(cells[labels == name] for cells in table.cells), str(name))
        for name in names[np.argsort(first)]
    ]


def _evenly_spaced(
    tables: Sequence[Table], choice: Choice, reading: Reading, name: str
) -> tuple[tuple[Array, ...], float | None, str]:
    """Return the observables of each trial, with NaN in gaps, the step of the times, and their unit."""
    values = [np.stack([table.cells[index] for index in choice.observables], axis=1) for table in tables]
    if choice.time is None:
        return tuple(values), None, ""
    label: Column = tables[0].names[choice.time]
    clocks, unit = times.as_numbers(
        [table.cells[choice.time] for table in tables], reading.time_unit, label=label, name=name
    )
    usual = times.usual_step(clocks, label=label, name=name)
    both = list(zip(values, clocks, strict=True))
    if reading.interpolate is not None:
        return tuple(times.interpolated(*pair, reading.interpolate) for pair in both), reading.interpolate, unit
    spaced = tuple(times.with_missing_rows(*pair, usual, label=label, name=name) for pair in both)
    return spaced, times.mean_step(clocks, usual), unit
