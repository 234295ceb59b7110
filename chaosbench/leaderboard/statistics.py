"""Statistics over a few seeds: medians that count diverged seeds, intervals of means, and tests of differences.

They use Student's and Welch's t, whose 95 % intervals cover the mean in 93 to 96 % of simulated cases. A percentile
bootstrap over 3 to 5 seeds covers it in 74 to 90 %.
"""

import math
import statistics
from collections.abc import Sequence
from typing import Literal

from chaosbench.intervals import half_width

Interval = tuple[float, float]


def median(values: Sequence[float | None], *, better: Literal["lower", "higher"]) -> float | None:
    """Return the median, where None (a diverged seed) is worse than any number; None if the median falls on one."""
    worst = math.inf if better == "lower" else -math.inf
    middle = statistics.median([worst if value is None else value for value in values]) if values else worst
    return middle if math.isfinite(middle) else None


def interval(values: Sequence[float | None], *, lowest: float = -math.inf) -> Interval | None:
    """Return the 95 % interval of the mean over seeds (Student's t), cut off at `lowest`.

    Return None for a single seed, and where a seed has no value, because the interval of the other seeds would be too
    favourable.
    """
    numbers = _complete(values)
    if numbers is None:
        return None
    half = half_width(statistics.stdev(numbers), len(numbers))
    centre = statistics.fmean(numbers)
    return max(lowest, centre - half), max(lowest, centre + half)


def differ(first: Sequence[float | None], second: Sequence[float | None], *, level: float = 0.05) -> bool | None:
    """Return True if Welch's t-test finds different means at this level.

    Return None where a side has a single seed or a seed without a value, so that there is no test.
    """
    from scipy.special import stdtr

    left, right = _complete(first), _complete(second)
    if left is None or right is None:
        return None
    difference = statistics.fmean(left) - statistics.fmean(right)
    errors = [statistics.variance(numbers) / len(numbers) for numbers in (left, right)]
    if sum(errors) == 0:
        return difference != 0
    freedom = sum(errors) ** 2 / sum(
        error**2 / (len(numbers) - 1) for error, numbers in zip(errors, (left, right), strict=True)
    )
    return bool(2 * stdtr(freedom, -abs(difference) / math.sqrt(sum(errors))) < level)


def _complete(values: Sequence[float | None]) -> list[float] | None:
    numbers = [value for value in values if value is not None]
    return numbers if len(numbers) == len(values) > 1 else None
