"""Times of recorded rows: their step, dates in a unit, missing rows, and interpolation of uneven times."""

from collections.abc import Sequence

import numpy as np

from chaosbench.errors import DataError
from chaosbench.series.table import Array, Column, is_date, is_number

_JITTER = 0.01  # share of a step by which times may deviate; rounding to few digits changes them by less
_HOLE = 3  # steps without a row across which nothing is interpolated
_PLACES = 3  # uneven places that a message names
_SECONDS = {"days": 86_400.0, "hours": 3_600.0, "minutes": 60.0, "seconds": 1.0}
TIME_UNITS = ("years", "months", *_SECONDS)


def as_numbers(cells: Sequence[Array], unit: str | None, *, label: Column, name: str) -> tuple[list[Array], str]:
    """Return the times of all trials as numbers, and their unit, which is empty unless they are dates.

    Dates are counted in the largest unit in which the usual step is at least 1: in calendar months or years if all
    dates are whole months or years apart, otherwise in days, hours, minutes or seconds.

    Args:
        cells: for each trial, `(T,)`.
        unit: one of `TIME_UNITS`; None: chosen.
        label, name: column and file, for errors.

    Raises:
        DataError: if a time is missing or cannot be read.
    """
    for trial in cells:
        if not is_number(trial) and not is_date(trial):
            raise DataError(
                f"the time in column {label!r} of {name!r} is {str(trial[0])!r} in row 0; expected numbers, or dates "
                "such as 2020-01-30 06:00:00 or 30.01.2020 06:00"
            )
        empty = np.flatnonzero(np.isnat(trial) if is_date(trial) else ~np.isfinite(trial))
        if len(empty):
            raise DataError(
                f"the time in column {label!r} of {name!r} is missing in row {int(empty[0])} (counted from 0); "
                "fill it, or remove the row"
            )
    if not is_date(cells[0]):
        return [trial.astype(np.float64) for trial in cells], unit or ""
    chosen = unit or _unit_of_dates(cells)
    return [_count(trial, chosen) for trial in cells], chosen


def usual_step(times: Sequence[Array], *, label: Column, name: str) -> float:
    """Return the median step of the times of all trials.

    Raises:
        DataError: if times do not increase.
    """
    for trial in times:
        back = np.flatnonzero(np.diff(trial) <= 0)
        if len(back):
            row = int(back[0])
            raise DataError(
                f"the time in column {label!r} of {name!r} does not increase from row {row} to {row + 1} (counted from "
                f"0): {trial[row]:g}, {trial[row + 1]:g}; sort the rows, remove repeated ones, or name the column that "
                "tells trials apart, as in trial = 'subject'"
            )
    return float(np.median(np.concatenate([np.diff(trial) for trial in times])))


def with_missing_rows(values: Array, times: Array, step: float, *, label: Column, name: str) -> Array:
    """Return the rows `(T, D)` with rows of NaN where times leave out whole steps.

    Raises:
        DataError: if times are not whole steps apart; the message names the first places.
    """
    steps = np.diff(times)
    whole = np.maximum(1, np.rint(steps / step))
    allowed = _JITTER * step + 4 * np.spacing(np.abs(times).max(initial=0.0))
    uneven = np.flatnonzero(np.abs(steps - whole * step) > allowed * whole)
    if len(uneven):
        places = ", ".join(f"{steps[row]:g} from row {row} to {row + 1}" for row in uneven[:_PLACES])
        raise DataError(
            f"the times in column {label!r} of {name!r} are usually {step:g} apart, but not in {len(uneven)} of "
            f"{len(steps)} places (rows counted from 0): {places}{', ...' if len(uneven) > _PLACES else ''}; set "
            f"interpolate = {step:.3g} to interpolate linearly at that step, or correct the times"
        )
    if (whole == 1).all():
        return values
    index = np.concatenate([[0], np.cumsum(whole)]).astype(int)
    filled = np.full((index[-1] + 1, values.shape[1]), np.nan)
    filled[index] = values
    return filled


def interpolated(values: Array, times: Array, step: float) -> Array:
    """Interpolate rows `(T, D)` linearly at evenly spaced times, from the first time on.

    Rows with an empty cell do not count. The result is NaN between two rows that are more than three steps, and more
    than three usual steps, apart.
    """
    kept = ~np.isnan(values).any(axis=1)
    times, values = times[kept], values[kept]
    if len(times) < 2:
        return np.full((0, values.shape[1]), np.nan)
    grid = times[0] + step * np.arange(int((times[-1] - times[0]) / step * (1 + 1e-12)) + 1)
    result = np.stack([np.interp(grid, times, column) for column in values.T], axis=1)
    holes = np.diff(times) > _HOLE * max(step, float(np.median(np.diff(times))))
    before = np.clip(np.searchsorted(times, grid, side="right") - 1, 0, len(times) - 2)
    result[holes[before] & (grid > times[before]) & (grid < times[before + 1])] = np.nan
    return result


def mean_step(times: Sequence[Array], step: float) -> float:
    """Return the mean of the steps of all trials that leave out no row; nine digits remove rounding errors."""
    if len(times) == 1 and (np.diff(times[0]) < 1.5 * step).all():
        return float(f"{(times[0][-1] - times[0][0]) / (len(times[0]) - 1):.9g}")
    steps = np.concatenate([np.diff(trial) for trial in times])
    return float(f"{steps[steps < 1.5 * step].mean():.9g}")


def _unit_of_dates(cells: Sequence[Array]) -> str:
    for unit in ("years", "months"):
        if all(_is_whole(trial, unit) for trial in cells):
            return unit
    steps = np.concatenate([np.diff(trial) for trial in cells]) / np.timedelta64(1, "s")
    usual = float(np.median(steps))
    return next((unit for unit, seconds in _SECONDS.items() if usual >= seconds), "seconds")


def _is_whole(dates: Array, unit: str) -> bool:
    """Return True if all dates are the same moment of different years or months."""
    code = "Y" if unit == "years" else "M"
    rest = dates - dates.astype(f"datetime64[{code}]").astype(dates.dtype)
    return len(dates) > 1 and bool((rest == rest[0]).all())


def _count(dates: Array, unit: str) -> Array:
    """Return dates as numbers of a unit since the first."""
    if unit in ("years", "months"):
        code = "Y" if unit == "years" else "M"
        whole = dates.astype(f"datetime64[{code}]")
        return np.array((whole - whole[0]).astype(np.float64))
    return np.array((dates - dates[0]) / np.timedelta64(1, "s") / _SECONDS[unit])
