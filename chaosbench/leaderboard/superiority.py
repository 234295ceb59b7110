"""How often a run of one method beats a run of another, over several systems, and exact tests of it.

A run is better only if the scores differ by more than a share that matters in practice; otherwise the pair is a tie.
A run that diverged or failed is worse than any that did not. Two questions are told apart. On these systems: do the
runs differ, whatever other systems would show? The seeds of each system are exchanged between the methods, which gives
the distribution without a difference. On systems like these: would the method win on other systems of the same kind?
Here a system counts as one observation, and its sign is exchanged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Costs = Sequence[float]
Weights = NDArray[np.float64]
Outcomes = NDArray[np.int64]

EQUAL = 0.05  # scores that differ by less than this share are equal in practice
_STEPS = 1_000  # of the grid on which the wins of a system are rounded for the exchange of signs


@dataclass(frozen=True)
class Pairing:
    """The runs of two methods on one system.

    Attributes:
        scores: for each run of both methods, the first ones first, twice its wins over all of them plus its ties,
            summed over metrics.
        first, second: number of runs of each method.
        metrics: number of metrics.
    """

    scores: tuple[int, ...]
    first: int
    second: int
    metrics: int = 1

    @property
    def total(self) -> int:
        """Twice the wins of the first method plus the ties, with its own runs counted as well."""
        return sum(self.scores[: self.first])

    @property
    def probability(self) -> float:
        """The probability that a run of the first beats one of the second, mean over metrics; a tie is half a win."""
        own = self.metrics * self.first**2
        return (self.total - own) / (2 * self.metrics * self.first * self.second)


def outcomes(costs: Costs, *, logarithmic: bool, equal: float = EQUAL) -> Outcomes:
    """Return for each pair of runs 2 if the row's is better than the column's, 1 if they are equal, otherwise 0.

    Args:
        costs: of `N` runs, larger for a worse one, infinite for one that diverged or failed.
        logarithmic: whether they are logarithms of scores.
        equal: the share by which scores must differ to count as different.

    Returns:
        Whole numbers `(N, N)`.
    """
    own, other = np.asarray(costs, dtype=float)[:, None], np.asarray(costs, dtype=float)[None, :]
    margin = np.log1p(equal) if logarithmic else equal * np.fmax(np.abs(own), np.abs(other))
    margin = np.where(np.isfinite(own) & np.isfinite(other), margin, 0.0)
    won: Outcomes = 1 + (own < other - margin).astype(np.int64) - (own > other + margin)
    return won


def paired(won: Outcomes, first: int, second: int, metrics: int = 1) -> Pairing:
    """Return the wins of two methods from the outcomes of all pairs of their runs, those of the first at the front.

    Args:
        won: `(first + second, first + second)`, the sum of `outcomes` over metrics.
        first, second: number of runs of each method.
        metrics: number of metrics.
    """
    return Pairing(tuple(won.sum(axis=1).tolist()), first, second, metrics)


class Tails(NamedTuple):
    """One-sided p-values: of at least so many wins of the first method, and of the second."""

    first: float
    second: float

    @property
    def two_sided(self) -> float:
        """The p-value of a difference in either direction."""
        return min(1.0, 2 * min(self))


def on_these(pairings: Sequence[Pairing]) -> Tails:
    """Return the p-values of so many wins, if the runs of two methods do not differ on any of these systems.

    All ways to divide the runs of a system between the two methods are counted, whatever the ties; systems are
    independent.

    Source:
        van Elteren 1960, Bulletin of the Institute of International Statistics 37, 351, with exact probabilities.
    """
    distribution = _of_sum([_divisions(each.scores, each.first) for each in pairings])
    return _tails(distribution, sum(each.total for each in pairings))


def on_others(pairings: Sequence[Pairing]) -> Tails:
    """Return the p-values of so many wins, if on systems like these each method wins half of the pairs of runs.

    The sign of each system's excess of wins is exchanged in all ways, with the excess rounded to a thousandth.

    Source:
        Fisher 1935, The Design of Experiments, section 21.
    """
    excess = [round(_STEPS * (2 * each.probability - 1)) for each in pairings]
    distribution = reduce(_with_sign, map(abs, excess), np.ones(1))
    return _tails(distribution, sum(excess) + sum(map(abs, excess)))


def least_on_others(systems: int) -> float:
    """Return the smallest p-value that `on_others` can give for so many systems."""
    return 0.5**systems


def holm(p_values: Sequence[float], level: float) -> list[bool]:
    """Return for each of several hypotheses whether it is rejected, with a false rejection in `level` of cases at most.

    Source:
        Holm 1979, Scandinavian Journal of Statistics 6, 65.
    """
    rejected = [False] * len(p_values)
    for step, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] > level / (len(p_values) - step):
            break
        rejected[index] = True
    return rejected


def _of_sum(distributions: Sequence[Weights]) -> Weights:
    """Return the distribution of the sum of independent whole numbers, to about 1e-15."""
    if len(distributions) == 1:
        return distributions[0]
    length = sum(len(each) - 1 for each in distributions) + 1
    padded = 1 << (length - 1).bit_length()  # a power of two, which the transform takes fastest
    product = reduce(np.multiply, [np.fft.rfft(each, padded) for each in distributions])
    total: Weights = np.fft.irfft(product, padded)[:length].clip(min=0.0)
    return total


def _tails(distribution: Weights, value: int) -> Tails:
    return Tails(*(float(min(1.0, tail.sum())) for tail in (distribution[value:], distribution[: value + 1])))


@lru_cache(maxsize=4096)
def _divisions(scores: tuple[int, ...], size: int) -> Weights:
    """Return for each s the probability that `size` of these scores, drawn at random, have the sum s."""
    ways = np.zeros((size + 1, sum(scores) + 1))  # number of subsets by size and sum
    ways[0, 0] = 1.0
    for score in scores:
        ways[1:, score:] += ways[:-1, : ways.shape[1] - score].copy()
    probabilities: Weights = ways[size] / math.comb(len(scores), size)
    return probabilities


def _with_sign(distribution: Weights, value: int) -> Weights:
    """Return the distribution of a sum after adding a number whose sign is a coin's, shifted to start at 0."""
    longer = np.zeros(len(distribution) + 2 * value)
    longer[: len(distribution)] += distribution / 2
    longer[2 * value :] += distribution / 2
    return longer
