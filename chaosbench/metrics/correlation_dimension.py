"""The dimension of an attractor from the share of close pairs of its points."""

from typing import ClassVar, Literal

import torch
from pydantic import Field, NonNegativeInt
from torch import Tensor

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics.arrays import ArrayT, as_tensors, each_member, like, thinned
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import FreeRunMetric


def correlation_dimension(series: ArrayT, *, points: int = 10_000, window: int = 0) -> ArrayT:
    """Estimate the correlation dimension D2, the slope of ln C(r) over ln r.

    C(r) is the share of pairs of states at most r apart. The radii are those at which C is 0.001 to 0.03, so neither
    the size of the series nor its units matter. Boundaries lower the estimate a little: uniform points on a line give
    0.99, on a square 1.96.

    Args:
        series: `(..., T, D)`, numpy array or tensor.
        points: number of points to use, evenly spread over the series; time grows with their square, memory does not.
        window: pairs at most this far apart in time are left out [steps]: they are close along the orbit, not by the
            shape of the attractor. About one decorrelation time is right.

    Returns:
        `(...)`, of the kind of `series`; 0 where 3 % of the pairs coincide, as at a fixed point; NaN for a member
        that is not finite.

    Source:
        Grassberger and Procaccia 1983, Physica D 9, 189; window: Theiler 1986, Physical Review A 34, 2427.
    """
    (values,) = as_tensors(series)
    selected = thinned(values, points)
    apart = window * selected.shape[-2] // values.shape[-2]
    if selected.shape[-2] - apart < _FEWEST:
        raise ChaosbenchError(
            f"correlation_dimension needs {_FEWEST} points beyond its window, and a window of {window} steps leaves "
            f"{max(0, selected.shape[-2] - apart)} of {selected.shape[-2]} points; give a longer series."
        )
    return like(each_member(selected, lambda member: _slope(member, apart)), series)


class CorrelationDimensionError(FreeRunMetric):
    """Error of the correlation dimension, |D2(model) - D2(truth)|, both estimated alike, median over free runs.

    Source: Grassberger and Procaccia 1983, Physica D 9, 189; Theiler 1986, Physical Review A 34, 2427.
    """

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["correlation_dimension_error"] = "correlation_dimension_error"
    points: int = Field(5_000, ge=1_000)  # of each free run, evenly spread
    window: NonNegativeInt = 100  # [steps]; pairs closer in time are left out

    def each_run(self, evaluation: Evaluation) -> Tensor:
        """Return the score of each free run, `(K, R)`; NaN where it is not finite."""

        def error(generated: Tensor, orbit: Tensor) -> Tensor:
            own, true = (correlation_dimension(s, points=self.points, window=self.window) for s in (generated, orbit))
            return (own - true).abs()

        return evaluation.standardised().each_run(error)


_SHARES = (0.001, 0.03)  # of the pairs; smaller ones are noisy, larger radii reach the attractor's boundary
_RADII = 20  # at which the slope is fitted, evenly spaced in ln r
_SAMPLE = 1_000  # points whose pairs choose the radii
_FEWEST = 100  # points, for 5 pairs at the smallest radius
_ROWS = 256  # points whose distances are computed at once; bounds memory


def _slope(series: Tensor, apart: int) -> Tensor:
    """Return the slope for a series `(T, D)`, a scalar."""
    sample = thinned(series, _SAMPLE)
    # Rounded up, so that every pair of the sample also counts in the whole series, and no radius is without pairs.
    sampled_apart = -(-apart * len(sample) // len(series))
    near = sample.new_tensor(_SHARES) * _pairs(len(sample), sampled_apart)
    distances = torch.cdist(sample, sample, compute_mode=_EXACT)
    smallest, largest = distances[_later(distances, sampled_apart)].sort().values[near.long()].unbind()
    if largest == 0:
        return largest
    # Coinciding pairs have no logarithm; the slope then starts far below the distances of the other pairs.
    ends = torch.stack([smallest.maximum(1e-6 * largest), largest]).log()
    radii = ends[0] + (ends[1] - ends[0]) * torch.linspace(0, 1, _RADII, dtype=ends.dtype, device=ends.device)
    logarithm = _counts(series, apart, radii.exp()).log()
    centred = radii - radii.mean()
    slope: Tensor = (centred * logarithm).sum() / centred.square().sum()
    return slope


def _counts(series: Tensor, apart: int, radii: Tensor) -> Tensor:
    """Count the pairs that are at most each of the ascending radii `(R,)` apart, `(R,)`."""
    # The largest radius is itself a sampled distance, which rounding must not exclude.
    edges = radii * (1 + 1e-12)
    counts = torch.zeros_like(edges)
    for first in range(0, len(series), _ROWS):
        # Matrix products would lose small distances to rounding.
        distances = torch.cdist(series[first : first + _ROWS], series[first:], compute_mode=_EXACT)
        near = distances[_later(distances, apart) & (distances <= edges[-1])]
        counts += torch.bincount(torch.searchsorted(edges, near), minlength=len(edges) + 1)[: len(edges)]
    return counts.cumsum(0)


_EXACT = "donot_use_mm_for_euclid_dist"


def _later(distances: Tensor, apart: int) -> Tensor:
    """Mask the distances from rows i to columns j > i + apart."""
    return torch.ones_like(distances, dtype=torch.bool).triu_(1 + apart)


def _pairs(steps: int, apart: int) -> int:
    """Count the pairs of indices i < j with j > i + apart."""
    return max(0, steps - apart) * (steps - apart - 1) // 2
