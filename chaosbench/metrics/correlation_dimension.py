"""The dimension of an attractor from how many pairs of its points are near each other."""

from typing import ClassVar, Literal

import torch
from pydantic import Field, NonNegativeInt
from torch import Tensor

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics.arrays import ArrayT, as_tensors, each_member, like, thinned
from chaosbench.metrics.base import Evaluation, MetricSpec


def correlation_dimension(series: ArrayT, *, points: int = 10_000, window: int = 0) -> ArrayT:
    """Slope of ln C(r) over ln r, C the share of pairs of states not further than r apart, where C is 0.001 to 0.03.

    Radii are chosen by the share of pairs, so that neither the series' size nor its units matter. Straight pieces are
    measured exactly but for their ends: a line of uniform points has a slope of 0.99, a square 1.96.

    Args:
        series: `(..., T, D)`, numpy array or tensor.
        points: that count, evenly spread over the series; time grows with their square, memory does not.
        window: pairs at most so many steps of the series apart are left out: they are near in time, not by the
            attractor's shape. About one decorrelation time [steps].

    Returns:
        `(...)`, of the kind of `series`; 0 where that many pairs coincide, as at a fixed point; NaN for a member that
        is not finite.

    Source:
        Grassberger and Procaccia 1983, Physica D 9, 189; window: Theiler 1986, Physical Review A 34, 2427.
    """
    (values,) = as_tensors(series)
    kept = thinned(values, points)
    apart = window * kept.shape[-2] // values.shape[-2]
    if kept.shape[-2] - apart < _FEWEST:
        raise ChaosbenchError(
            f"correlation_dimension needs {_FEWEST} points beyond its window, and of {kept.shape[-2]} points "
            f"a window of {window} steps leaves {max(0, kept.shape[-2] - apart)}; give a longer series."
        )
    return like(each_member(kept, lambda one: _slope(one, apart)), series)


class CorrelationDimensionError(MetricSpec):
    """Error of the correlation dimension of the free runs, pooled, |D2(model) - D2(truth)|, both measured alike.

    Source: Grassberger and Procaccia 1983, Physica D 9, 189; Theiler 1986, Physical Review A 34, 2427.
    """

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["correlation_dimension_error"] = "correlation_dimension_error"
    points: int = Field(5_000, ge=1_000)  # of all free runs, evenly spread
    window: NonNegativeInt = 100  # [steps]; pairs nearer in time are left out

    def score(self, evaluation: Evaluation) -> Tensor:
        """`(K,)`; NaN where any of the seed's free runs diverged."""
        generated, truth = evaluation.pooled()
        own, theirs = (correlation_dimension(one, points=self.points, window=self.window) for one in (generated, truth))
        return (own - theirs).abs()


_SHARES = (0.001, 0.03)  # of the pairs; fewer are too few, and radii of more feel the attractor's ends
_RADII = 20  # at which the slope is read, evenly spread in ln r
_SAMPLE = 1_000  # points whose pairs choose the radii
_FEWEST = 100  # points, for 5 pairs at the smallest radius
_ROWS = 256  # distances from so many points at once: bounds memory


def _slope(series: Tensor, apart: int) -> Tensor:
    """Of one series `(T, D)`: a scalar."""
    sample = thinned(series, _SAMPLE)
    # Rounded up, so that every pair of the sample counts in the whole, and no radius is without pairs.
    sampled_apart = -(-apart * len(sample) // len(series))
    near = sample.new_tensor(_SHARES) * _pairs(len(sample), sampled_apart)
    distances = torch.cdist(sample, sample, compute_mode=_EXACT)
    smallest, largest = distances[_later(distances, sampled_apart)].sort().values[near.long()].unbind()
    if largest == 0:
        return largest
    # Pairs that coincide have no logarithm; the slope then starts far below what the other pairs are apart.
    ends = torch.stack([smallest.maximum(1e-6 * largest), largest]).log()
    radii = ends[0] + (ends[1] - ends[0]) * torch.linspace(0, 1, _RADII, dtype=ends.dtype, device=ends.device)
    logarithm = _counts(series, apart, radii.exp()).log()
    centred = radii - radii.mean()
    slope: Tensor = (centred * logarithm).sum() / centred.square().sum()
    return slope


def _counts(series: Tensor, apart: int, radii: Tensor) -> Tensor:
    """How many pairs are at most as far apart as each of the ascending radii, `(R,)`."""
    # The widest radius is the largest sampled distance itself, which rounding must not lose.
    edges = radii * (1 + 1e-12)
    counts = torch.zeros_like(edges)
    for first in range(0, len(series), _ROWS):
        # Not by products of matrices, in which small distances are lost.
        distances = torch.cdist(series[first : first + _ROWS], series[first:], compute_mode=_EXACT)
        near = distances[_later(distances, apart) & (distances <= edges[-1])]
        counts += torch.bincount(torch.searchsorted(edges, near), minlength=len(edges) + 1)[: len(edges)]
    return counts.cumsum(0)


_EXACT = "donot_use_mm_for_euclid_dist"


def _later(distances: Tensor, apart: int) -> Tensor:
    """Which of the distances from rows i to columns j have j > i + apart."""
    return torch.ones_like(distances, dtype=torch.bool).triu_(1 + apart)


def _pairs(steps: int, apart: int) -> int:
    """Of indices i < j that are more than `apart` apart."""
    return max(0, steps - apart) * (steps - apart - 1) // 2
