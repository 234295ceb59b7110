"""Statistics over a few seeds: medians that count diverged seeds, intervals, and comparisons with the best entry.

Errors and distances are skewed, so they are compared on logarithms. docs/results.md lists false-alarm rate, power and
coverage by simulation (`python -m docs.generate.comparisons`). On lognormal scores with log-sd 1.5, Student's interval
of the mean covers it in about 70 % of cases with 3 to 10 seeds, and that of the geometric mean in 95 %.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from chaosbench.intervals import half_width
from chaosbench.leaderboard.significance import least_rank_p, rank_test, sign_test, t_test, variance, welch_test

Better = Literal["lower", "higher"]
Interval = tuple[float, float]
Values = Sequence[float | None]

LEVEL = 0.05  # of the statement that a board's truly best entry is not behind


@dataclass(frozen=True)
class Scale:
    """The scale on which the scores of a metric are compared.

    Attributes:
        better: which scores are better.
        logarithmic: compare logarithms; otherwise the scores.
        floor: the least score that means something; lower ones count as equal to it. None: there is none.
    """

    better: Better
    logarithmic: bool = False
    floor: float | None = None

    @classmethod
    def of(cls, numbers: Iterable[float | None], *, better: Better, floor: float | None = None) -> "Scale":
        """Return the scale that suits these scores: logarithms where lower is better and none is negative."""
        skewed = better == "lower" and all(number is None or number >= 0 for number in (*numbers, floor))
        return cls(better, skewed, floor if skewed else None)

    def cost(self, value: float | None) -> float:
        """Return a number that is larger for a worse score; infinity for None."""
        if value is None:
            return math.inf
        if not self.logarithmic:
            return value if self.better == "lower" else -value
        raised = max(value, self.floor or 0.0)
        return math.log(raised) if raised > 0 else -math.inf


@dataclass(frozen=True)
class Sample:
    """The scores of one entry.

    Attributes:
        values: one per seed; None: diverged, or undefined.
        orbits: for each seed its scores on every test orbit alone, in the same order for all entries; may be empty.
        fixed: whether the entry does not depend on the seed, so that its seeds are copies of one run.
    """

    values: tuple[float | None, ...]
    orbits: tuple[tuple[float | None, ...], ...] = ()
    fixed: bool = False


@dataclass(frozen=True)
class Comparison:
    """A one-sided test of whether an entry is worse than another one.

    Attributes:
        p_value: probability of such a difference if the entry is not worse; None: there is no test.
        test: name of the test.
        reason: the reason for which there is no test; empty where there is one.
    """

    p_value: float | None
    test: str
    reason: str = ""


def median(values: Values, *, better: Better) -> float | None:
    """Return the median, where None (a diverged seed) is worse than any number; None if the median falls on one."""
    worst = math.inf if better == "lower" else -math.inf
    middle = statistics.median([worst if value is None else value for value in values]) if values else worst
    return middle if math.isfinite(middle) else None


def interval(values: Values, *, logarithmic: bool = False, lowest: float = -math.inf) -> Interval | None:
    """Return a 95 % interval over seeds (Student's t): of the mean, or of the geometric mean.

    The interval of the geometric mean is that of the mean logarithm, transformed back. For lognormal scores the
    geometric mean is the median.

    Args:
        values: one per seed.
        logarithmic: return the interval of the geometric mean.
        lowest: the value at which the interval of the mean is cut off.

    Returns:
        None for a single seed; where a seed has no value, because the interval of the other seeds would be too
        favourable; and for a geometric mean of scores of which one is not positive.
    """
    numbers = [value for value in values if value is not None]
    if len(numbers) < max(2, len(values)) or (logarithmic and min(numbers) <= 0):
        return None
    scaled = [math.log(number) for number in numbers] if logarithmic else numbers
    half, centre = half_width(statistics.stdev(scaled), len(scaled)), statistics.fmean(scaled)
    if logarithmic:
        return _exponential(centre - half), _exponential(centre + half)
    return max(lowest, centre - half), max(lowest, centre + half)


def corrected_level(entries: int) -> float:
    """Return the level of each comparison with the best of so many entries, 0.05 / (entries - 1).

    The truly best entry is marked as behind only if its comparison with one of the m - 1 others finds a difference that
    does not exist, whichever of them was selected as the best. Each does so with probability 0.05 / (m - 1) at most,
    hence any of them in 5 % of boards at most. Holm's step-down needs comparisons that were chosen before the data were
    seen; here the entry to compare with is selected by the data, and the largest of its levels, 0.05, would be too
    large. Entries that are equally good are each marked in 5 % of boards at most.

    Source:
        Hsu 1996, Multiple Comparisons: Theory and Methods, chapter 4 (multiple comparisons with the best).
    """
    return LEVEL / max(1, entries - 1)


def compare(entry: Sample, best: Sample, *, scale: Scale, level: float = LEVEL) -> Comparison:
    """Test whether an entry is worse than the best one.

    - Seeds that all have a score are compared by Welch's t-test on the scale.
    - Where a seed diverged or has no score, which is worse than any number, by the exact rank test. So are single
      seeds, and samples without variance, such as scores that are all below the floor.
    - Entries that do not depend on the seed are compared over test orbits, pair by pair, by the t-test. If one of the
      two does depend on it, its seeds must also be worse than the other entry, and the larger p-value counts.

    There is no test where even the most extreme outcome would not reach `level`.
    """
    if entry.fixed and best.fixed:
        return _over_orbits(entry, best, scale=scale, level=level)
    if entry.fixed or best.fixed:
        parts = [part(entry, best, scale=scale, level=level) for part in (_over_orbits, _against_constant)]
        untested = [part for part in parts if part.p_value is None]
        if untested:
            return untested[0]
        worst = max(part.p_value or 0.0 for part in parts)
        return Comparison(worst, "; ".join(part.test for part in parts))
    return _over_seeds(*(_costs(sample.values, scale) for sample in (entry, best)), scale=scale, level=level)


def differ(
    first: Values, second: Values, *, better: Better = "lower", floor: float | None = None, level: float = LEVEL
) -> bool | None:
    """Return True if a two-sided test finds a difference between two groups of seeds at this level.

    Args:
        first, second: a score per seed; None: the seed diverged, or its score is undefined.
        better: which scores are better.
        floor: the score of the truth, below which differences mean nothing.

    Returns:
        None where there are too few seeds to find any difference.
    """
    scale = Scale.of((*first, *second), better=better, floor=floor)
    left, right = (_costs(values, scale) for values in (first, second))
    sides = [_over_seeds(*pair, scale=scale, level=level / 2) for pair in ((left, right), (right, left))]
    p_values = [side.p_value for side in sides if side.p_value is not None]
    return min(p_values) <= level / 2 if p_values else None


def _costs(values: Values, scale: Scale) -> list[float]:
    return [scale.cost(value) for value in values]


def _over_seeds(entry: list[float], best: list[float], *, scale: Scale, level: float) -> Comparison:
    if _vary(entry) and _vary(best):
        return Comparison(welch_test(entry, best), _named("Welch's t-test over seeds", scale))
    test = "exact rank test over seeds"
    if least_rank_p(len(entry), len(best)) > level:
        return Comparison(None, test, "too few seeds to tell")
    return Comparison(rank_test(entry, best), test)


def _over_orbits(entry: Sample, best: Sample, *, scale: Scale, level: float) -> Comparison:
    """Compare pair by pair over test orbits, where the score of several seeds is their median."""
    pair = [[_middle(column, scale) for column in zip(*sample.orbits, strict=True)] for sample in (entry, best)]
    if not pair[0] or len(pair[0]) != len(pair[1]):
        return Comparison(None, "t-test over test orbits", "the scores of single test orbits are not stored")
    return _of_differences(*pair, scale=scale, level=level, over="test orbits")


def _against_constant(entry: Sample, best: Sample, *, scale: Scale, level: float) -> Comparison:
    """Compare the seeds of one entry with the constant score of the other."""
    count = max(len(sample.values) for sample in (entry, best) if not sample.fixed)
    pair = [
        [_middle(sample.values, scale)] * count if sample.fixed else _costs(sample.values, scale)
        for sample in (entry, best)
    ]
    return _of_differences(*pair, scale=scale, level=level, over="seeds")


def _of_differences(entry: list[float], best: list[float], *, scale: Scale, level: float, over: str) -> Comparison:
    """Test pairs by the t-test, or by their signs where a difference is infinite or all are equal."""
    # Two runs that both diverged are equally bad.
    differences = [0.0 if own == other else own - other for own, other in zip(entry, best, strict=True)]
    if _vary(differences):
        return Comparison(t_test(differences), _named(f"t-test over {over}", scale))
    test = f"sign test over {over}"
    if 0.5 ** len(differences) > level:
        return Comparison(None, test, f"too few {over} to tell")
    return Comparison(sign_test(differences), test)


def _vary(costs: Sequence[float]) -> bool:
    """Return True if these are several finite costs that are not all equal."""
    return len(costs) > 1 and all(map(math.isfinite, costs)) and variance(costs) > 0


def _middle(values: Iterable[float | None], scale: Scale) -> float:
    return statistics.median([scale.cost(value) for value in values])


def _named(test: str, scale: Scale) -> str:
    return f"{test}, on logarithms" if scale.logarithmic else test


def _exponential(power: float) -> float:
    """Return e to this power, at most the largest float."""
    return math.exp(min(power, 709.0))
