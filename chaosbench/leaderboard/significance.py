"""One-sided tests on small samples of costs: t tests, exact permutations of ranks, and signs.

A cost is larger where a score is worse; infinity stands for a run that diverged. Every function returns the probability
of an outcome at least as bad for the first sample if it is not worse.
"""

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Costs = Sequence[float]


def welch_test(first: Costs, second: Costs) -> float:
    """Return the p-value of Welch's t-test for a larger mean of the first sample.

    Args:
        first, second: at least two finite costs each, which must not all be equal.

    Source:
        Welch 1947, Biometrika 34, 28.
    """
    errors = [variance(costs) / len(costs) for costs in (first, second)]
    total = sum(errors)
    terms = [error**2 / (len(costs) - 1) for error, costs in zip(errors, (first, second), strict=True)]
    difference = statistics.fmean(first) - statistics.fmean(second)
    return _student_tail(difference / math.sqrt(total), total**2 / sum(terms))


def t_test(differences: Costs) -> float:
    """Return the p-value of Student's t-test for a mean above zero, of at least two values that are not all equal."""
    error = math.sqrt(variance(differences) / len(differences))
    return _student_tail(statistics.fmean(differences) / error, len(differences) - 1)


def rank_test(first: Costs, second: Costs) -> float:
    """Return the exact p-value of the rank-sum test for larger costs in the first sample.

    Equal costs get their mean rank. All ways to divide the ranks between the samples are counted, so the p-value is
    that of a complete permutation test, whatever the ties.

    Source:
        Wilcoxon 1945, Biometrics Bulletin 1, 80; counting: Streitberg and Röhmel 1986, Statistical Software Newsletter
        12, 10.
    """
    pooled = sorted([*first, *second])
    # The mean rank of equal costs is half of this whole number.
    doubled = {cost: 2 * pooled.index(cost) + pooled.count(cost) + 1 for cost in pooled}
    tail = _rank_tail(tuple(doubled[cost] for cost in pooled), len(first))
    return float(tail[sum(doubled[cost] for cost in first)])


def least_rank_p(first: int, second: int) -> float:
    """Return the smallest p-value that the rank-sum test can give for samples of these sizes."""
    return 1 / math.comb(first + second, first)


def sign_test(differences: Costs) -> float:
    """Return the exact p-value of the sign test for differences above zero; zeros count for neither side.

    Source:
        Conover 1999, Practical Nonparametric Statistics, section 3.4.
    """
    above, below = sum(value > 0 for value in differences), sum(value < 0 for value in differences)
    outcomes = sum(math.comb(above + below, count) for count in range(above, above + below + 1))
    return float(outcomes / 2 ** (above + below))


def variance(costs: Costs) -> float:
    """Return the sample variance of finite costs; `statistics.variance` takes ten times as long."""
    centre = statistics.fmean(costs)
    return math.fsum((cost - centre) ** 2 for cost in costs) / (len(costs) - 1)


@lru_cache(maxsize=4096)
def _rank_tail(ranks: tuple[int, ...], size: int) -> NDArray[np.float64]:
    """Return for each s the probability that the sum of `size` of these ranks, drawn at random, is at least s."""
    most = sum(sorted(ranks)[len(ranks) - size :])
    ways = np.zeros((size + 1, most + 1))  # number of subsets by size and sum
    ways[0, 0] = 1.0
    for rank in ranks:
        if rank <= most:
            ways[1:, rank:] += ways[:-1, : most + 1 - rank].copy()
    tail: NDArray[np.float64] = ways[size, ::-1].cumsum()[::-1] / math.comb(len(ranks), size)
    return tail


def _student_tail(value: float, freedom: float) -> float:
    """P(T > value) for Student's t."""
    from scipy.special import stdtr  # imported late, because the ranking must start fast

    return float(stdtr(freedom, -value))
