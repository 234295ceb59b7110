"""Trends and seasons, which are not dynamics: found in a series, and removed before an exponent is estimated."""

from typing import Any, Literal

import numpy as np

from chaosbench.series.surrogates import forecast_error

Array = np.ndarray[Any, np.dtype[Any]]
Detrend = Literal["auto", "none", "linear", "seasonal"]

_DRIFT = 0.2  # share of an observable's variance that a straight line explains, from which on it is a trend
_SEASON = 0.7  # share of the rest that the means over a cycle explain, from which on it is a season
_CYCLES = 4  # of a season, at least
_COORDINATES = 3  # of the states that tell a season from bands of an attractor
_LONGEST = 2_000  # rows that are forecast for that, at most


def stationary(stretches: list[Array], detrend: Detrend) -> tuple[list[Array], str]:
    """Return the stretches without trend and season, and what was removed: "", "linear" or "seasonal".

    A trend is a straight line in each stretch. A season is a mean course over a whole number of steps; it is removed
    from a single stretch only, because gaps leave its phase open. Where the spread of a positive series grows with its
    mean, logarithms are taken first.

    Args:
        stretches: `(T, D)` each.
        detrend: "auto": a trend that explains 20 % of the variance of an observable, and then a season that explains
            70 % of the rest, unless it is part of the dynamics, as the bands are between which some chaotic maps
            alternate; "none", "linear", "seasonal": nothing, trend, or trend and season, whatever they explain.
    """
    whole = np.concatenate(stretches)
    if detrend == "none":
        return stretches, ""
    flat = [_without_line(stretch) for stretch in stretches]
    explained = 1 - np.concatenate(flat).var(axis=0) / whole.var(axis=0)
    trend = detrend != "auto" or bool((explained >= _DRIFT).any())
    base = flat if trend else stretches
    if len(stretches) > 1 or detrend == "linear":
        return (base, "linear") if trend else (stretches, "")
    series = _logarithms_of_growing(stretches[0], flat[0]) if trend else stretches[0]
    level = _without_line(series) if trend else series - series.mean(axis=0)
    period, share = season(level)
    rest = level - _course(level, period) if period else level
    if period and (detrend == "seasonal" or (share >= _SEASON and _is_no_dynamics(level, rest, period))):
        return [rest], "seasonal"
    return ([level], "linear") if trend else (stretches, "")


def season(series: Array) -> tuple[int, float]:
    """Return the number of steps whose mean course explains most of the variance, and that share; 0 if none fits.

    The share is corrected for the number of means, so that a longer course is not better by chance.
    """
    best, share = 0, 0.0
    rows = len(series)
    for period in range(2, min(rows // _CYCLES, 400) + 1):
        rest = (series - _course(series, period)).var(axis=0) * rows / (rows - period)
        explained = float(1 - (rest / np.maximum(series.var(axis=0), np.finfo(float).tiny)).mean())
        if explained > share + 0.01:
            best, share = period, explained
    return best, share


def _is_no_dynamics(series: Array, rest: Array, period: int) -> bool:
    """Return True if states forecast better without the season than with it: then it was added to the dynamics.

    The bands of an attractor lie on top of each other without their mean course, so that neighbours mislead.
    """
    with_it, without = (
        forecast_error(values, dimension=_COORDINATES, lag=1, ahead=1, theiler=period) * float(values.std())
        for values in (series[-_LONGEST:], rest[-_LONGEST:])
    )
    return without <= with_it


def _without_line(stretch: Array) -> Array:
    time = np.arange(len(stretch)) - (len(stretch) - 1) / 2
    centred = stretch - stretch.mean(axis=0)
    slope = (time[:, None] * centred).sum(axis=0) / max(float((time**2).sum()), 1.0)
    result: Array = centred - time[:, None] * slope
    return result


def _course(series: Array, period: int) -> Array:
    """Return the mean over all cycles at each phase, repeated, `(T, D)`."""
    phase = np.arange(len(series)) % period
    sums = np.stack([np.bincount(phase, column, period) for column in series.T], axis=1)
    course: Array = (sums / np.bincount(phase, minlength=period)[:, None])[phase]
    return course


def _logarithms_of_growing(series: Array, flat: Array) -> Array:
    """Return the logarithms of a positive series if its spread grows with its mean, otherwise the series."""
    if (series <= 0).any():
        return series
    half = len(series) // 2
    level = series[half:].mean(axis=0) / series[:half].mean(axis=0)
    spread = flat[half:].std(axis=0) / flat[:half].std(axis=0)
    grows = (np.sign(level - 1) == np.sign(spread - 1)) & (np.abs(np.log(level)) > 0.1)
    return np.log(series) if bool(grows.all()) else series
