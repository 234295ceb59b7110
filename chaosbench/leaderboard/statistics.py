"""What a handful of seeds can say: medians that count divergence, intervals, and whether two entries differ.

A percentile bootstrap over 3 to 5 seeds covers 74 to 90 % where it claims 95 %; Student's and Welch's t keep their word
(93 to 96 %, by simulation), so they are used here.
"""

import math
import statistics
from collections.abc import Sequence
from typing import Literal

from chaosbench.intervals import half_width

Interval = tuple[float, float]


def median(values: Sequence[float | None], *, better: Literal["lower", "higher"]) -> float | None:
    """The median, with None (a seed that diverged) worse than any number; None where that is the median."""
    worst = math.inf if better == "lower" else -math.inf
    middle = statistics.median([worst if value is None else value for value in values]) if values else worst
    return middle if math.isfinite(middle) else None


def interval(values: Sequence[float | None], *, lowest: float = -math.inf) -> Interval | None:
    """The 95 % interval of the mean over seeds (Student's t), cut off at `lowest`.

    None for a single seed, and where a seed has no value: the interval of the survivors would flatter.
    """
    numbers = _complete(values)
    if numbers is None:
        return None
    half = half_width(statistics.stdev(numbers), len(numbers))
    centre = statistics.fmean(numbers)
    return max(lowest, centre - half), max(lowest, centre + half)


def differ(first: Sequence[float | None], second: Sequence[float | None], *, level: float = 0.05) -> bool | None:
    """Whether Welch's t-test tells the means apart; None where a single seed, or one without a value, forbids it."""
    from scipy.special import stdtr

    one, other = _complete(first), _complete(second)
    if one is None or other is None:
        return None
    difference = statistics.fmean(one) - statistics.fmean(other)
    errors = [statistics.variance(numbers) / len(numbers) for numbers in (one, other)]
    if sum(errors) == 0:
        return difference != 0
    freedom = sum(errors) ** 2 / sum(
        error**2 / (len(numbers) - 1) for error, numbers in zip(errors, (one, other), strict=True)
    )
    return bool(2 * stdtr(freedom, -abs(difference) / math.sqrt(sum(errors))) < level)


def _complete(values: Sequence[float | None]) -> list[float] | None:
    numbers = [value for value in values if value is not None]
    return numbers if len(numbers) == len(values) > 1 else None
