"""D_stsp: the divergence of a model's attractor from the true one, by histograms of visited states."""

import math
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from pydantic import PositiveInt
from torch import Tensor
from typing_extensions import override

from chaosbench.errors import ChaosbenchError, unknown_name
from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, check_dimensions, like
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.mixture_divergence import MixtureDivergence
from chaosbench.metrics.orbits import FreeRunMetric

Convention = Literal["gtf", "gtf_published", "alrnn", "dynamix", "dend", "seed"]


def state_space_divergence(
    generated: ArrayT, truth: Array, *, bins: int | None = None, convention: Convention = "gtf"
) -> ArrayT:
    """Return D_stsp, the Kullback-Leibler divergence KL(true || generated) of histograms of visited states.

    Scores of different lengths T, bins or conventions do not compare; report the score of an independent true orbit of
    the same length beside them.

    Args:
        generated: `(..., T, D)`, at most 5 dimensions; numpy array or tensor, computed in float64.
        truth: `(..., T, D)`, leading axes broadcast; the length may differ.
        bins: bins per dimension; None: the convention's.
        convention: published grid.
            "gtf": 30 bins over min - 0.1 sigma ... max + 0.1 sigma of the truth; generated points off the grid count.
            "gtf_published": the same grid, as published: generated points off the grid are ignored. "alrnn" is the
            same.
            "dynamix": 30 bins over min ... max, the first of each dimension ignored.
            "dend": 30 bins over -2 sigma ... 2 sigma around zero, the first of each dimension ignored.
            "seed": as "dend", with 10 bins.

            All but "gtf" ignore points off the grid. A run of which a single point is on the grid then looks better
            than one that stays at a wrong place, so none of these should rank models.

    Returns:
        `(...)` [nats], of the kind of `generated`; NaN for a series with a non-finite value and, unless points off the
        grid count, for one without a point on the grid.

    Source:
        Hess et al. 2023, ICML (arXiv 2306.04406), "gtf"; Brenner et al. 2024, NeurIPS (2410.14240), "alrnn";
        Hemmer & Durstewitz 2025 (2505.13192), "dynamix"; Brenner et al. 2022, ICML (2207.02542), "dend";
        Mikhaeil et al. 2022, NeurIPS (2110.07238), "seed".
    """
    series, orbits = as_tensors(generated, truth)
    axes = np.broadcast_shapes(series.shape[:-2], orbits.shape[:-2])
    if orbits.ndim == 2:
        density = StateSpaceDensity(orbits, bins=bins, convention=convention)
        scores = [density.divergence(member) for member in series.reshape(-1, *series.shape[-2:])]
    else:
        pairs = zip(_members(series, axes), _members(orbits, axes), strict=True)
        scores = [StateSpaceDensity(b, bins=bins, convention=convention).divergence(a) for a, b in pairs]
    return like(torch.stack(scores).reshape(axes), generated)


def off_grid_share(
    generated: ArrayT, truth: Array, *, bins: int | None = None, convention: Convention = "gtf"
) -> ArrayT:
    """Return the share of generated points off the grid that `state_space_divergence` uses.

    Args:
        generated: `(..., T, D)`, in any number of dimensions; points that are not finite are off the grid.
        truth: `(T, D)`.
        bins, convention: as in `state_space_divergence`.

    Returns:
        `(...)`, between 0 and 1, of the kind of `generated`.
    """
    series, orbit = as_tensors(generated, truth)
    check_dimensions(series, orbit)
    rule = _rule(convention)
    count = rule.bins if bins is None else bins
    lower, extent = _grid(orbit, count, rule)
    position = ((series - lower) * count / extent).floor()
    inside = ((position >= rule.first_bin) & (position < count)).all(-1)
    return like((~inside).double().mean(-1), generated)


class StateSpaceDensity:
    """Smoothed histogram of a true orbit on its own grid, to compare with many series."""

    def __init__(self, truth: Tensor, *, bins: int | None = None, convention: Convention = "gtf") -> None:
        """Build the grid of `truth`, `(T, D)` float64, and its histogram."""
        rule = _rule(convention)
        self.bins = rule.bins if bins is None else bins
        self.dimension = truth.shape[-1]
        _check_size(self.bins, self.dimension)
        self.first_bin = rule.first_bin
        self.counts_all = rule.counts_all
        self.lower, self.extent = _grid(truth, self.bins, rule)
        self.probability = self._probability(truth)

    def divergence(self, generated: Tensor) -> Tensor:
        """Return KL(true || generated) of a series `(T, D)`, a scalar [nats]; NaN if non-finite."""
        check_dimensions(generated, self.lower[None])
        return (self.probability * (self.probability / self._probability(generated)).log()).sum()

    def _probability(self, series: Tensor) -> Tensor:
        """Return the Laplace-smoothed histogram, `(bins**D,)`; NaN if non-finite or without a point that counts.

        Where points off the grid count, their share is missing from its sum.
        """
        cells = self.bins**self.dimension
        counts = torch.bincount(self._cells(series), minlength=cells + 1)[:cells].to(series.dtype)
        total = counts.new_tensor(len(series)) if self.counts_all else counts.sum()
        finite = (series * 0).sum() == 0  # `isfinite` takes five times as long
        probability = (counts + _SMOOTHING) / (total + _SMOOTHING * cells)
        return torch.where(finite & (total > 0), probability, torch.nan)

    def _cells(self, series: Tensor) -> Tensor:
        """Return the cell of every point, `(T,)`; `bins**D` for points off the grid."""
        cell = torch.zeros_like(series[:, 0])
        inside = torch.ones_like(cell, dtype=torch.bool)
        for coordinate, lower, extent in zip(series.T, self.lower, self.extent, strict=True):
            # Multiplied first, so that the upper edge is off the grid regardless of rounding.
            position = (coordinate - lower).mul_(self.bins).div_(extent).floor_()
            inside &= (position >= self.first_bin) & (position < self.bins)
            cell = cell.mul_(self.bins).add_(position)
        return cell.where(inside, float(self.bins**self.dimension)).long()


class StateSpaceDivergence(FreeRunMetric):
    """State-space divergence D_stsp of the attractor from the true one, median over free runs.

    It uses a grid up to five dimensions, and mixtures of Gaussians beyond, as in the convention's paper. The convention
    "dend" joins all free runs of a seed first, as in its paper, whose runs are short.

    The grid must leave room for scores between the floor and a run that has learned nothing: the score of a second true
    orbit may be at most half that of a run at rest in the mean of the truth. Where orbits are too short, or have too
    many dimensions, for the 30 bins of the default convention, there are fewer bins: the most for which the rule
    holds. Where it holds for none, or bins or another convention are set, the score has no resolution and does not rank
    (`leaderboard.rank`).

    Source: Hess et al. 2023, ICML; there, points off the grid are ignored ("gtf_published").
    """

    unit: ClassVar[str] = "nats"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["state_space_divergence"] = "state_space_divergence"
    bins: PositiveInt | None = None  # per dimension; None: the convention's
    convention: Convention = "gtf"  # published grid

    @property
    @override
    def joins_runs(self) -> bool:
        return self.convention == "dend"

    def each_run(self, evaluation: Evaluation) -> Tensor:
        """Return the score of each free run, `(K, R)` [nats], or of all of them joined, `(K, 1)`."""
        if evaluation.truth.shape[-1] > _MOST_DIMENSIONS:
            mixture = _MIXTURES.get(self.convention, self.convention)
            return MixtureDivergence.model_validate({"convention": mixture}).each_run(evaluation)

        bins = self.bins_for(evaluation)[0]

        def divergence(generated: Tensor, truth: Tensor) -> Tensor:
            return state_space_divergence(generated, truth, bins=bins, convention=self.convention)

        if self.joins_runs:
            return divergence(*evaluation.pooled())[:, None]
        return evaluation.each_run(divergence)

    def bins_for(self, evaluation: Evaluation) -> tuple[int | None, float]:
        """Return the bins per dimension, and the score of a run at rest; these depend on the true orbits alone.

        The bins are None, and the score NaN, where mixtures replace the grid.
        """
        truth, twin = evaluation.truth[0].double(), evaluation.twin[0].double()
        if truth.shape[-1] > _MOST_DIMENSIONS:
            return None, math.nan
        start = self.bins or _rule(self.convention).bins
        coarser = [] if self.bins or self.convention != "gtf" else [count for count in _COARSER if count < start]
        first = math.nan
        for bins in (start, *coarser):
            density = StateSpaceDensity(truth, bins=bins, convention=self.convention)
            rest = float(density.divergence(truth.mean(0).expand_as(truth)))
            if has_resolution(float(density.divergence(twin)), rest):
                return bins, rest
            first = rest if math.isnan(first) else first
        return start, first

    @override
    def details(self, evaluation: Evaluation) -> dict[str, Tensor]:
        """Return the default, the share of points off the grid, the bins per dimension and the score of a run at rest.

        The share is the mean over free runs.
        """
        bins, rest = self.bins_for(evaluation)

        def share(generated: Tensor, truth: Tensor) -> Tensor:
            return off_grid_share(generated, truth, bins=bins or self.bins, convention=self.convention)

        off_grid = evaluation.each_run(share).mean(1)
        chosen = torch.full_like(off_grid, math.nan if bins is None else bins)
        return {
            **super().details(evaluation),
            "off_grid_share": off_grid,
            "bins": chosen,
            "at_rest": torch.full_like(off_grid, rest),
        }


def has_resolution(floor: float, at_rest: float) -> bool:
    """Return True if the score of a true orbit is at most half that of a run at rest, so that models can differ."""
    return not floor > _ROOM * at_rest


class _Rule(NamedTuple):
    """A published grid: number of bins, range, and first bin that counts."""

    bins: int
    centred: bool  # whether the range is around zero instead of the extent of the data
    margin: float  # how far the range extends, in standard deviations of the truth
    first_bin: int
    counts_all: bool = False  # whether generated points off the grid count


_RULES: dict[str, _Rule] = {
    "gtf": _Rule(bins=30, centred=False, margin=0.1, first_bin=0, counts_all=True),
    "gtf_published": _Rule(bins=30, centred=False, margin=0.1, first_bin=0),
    "alrnn": _Rule(bins=30, centred=False, margin=0.1, first_bin=0),
    "dynamix": _Rule(bins=30, centred=False, margin=0.0, first_bin=1),
    "dend": _Rule(bins=30, centred=True, margin=2.0, first_bin=1),
    "seed": _Rule(bins=10, centred=True, margin=2.0, first_bin=1),
}
_MIXTURES = {"dynamix": "gtf", "gtf_published": "gtf"}  # conventions without a mixture of their own
_COARSER = (20, 15, 10, 7, 5, 4, 3)  # bins per dimension, where the convention's are too many for the orbits
_ROOM = 0.5  # share of the score of a run at rest that the floor may have
_SMOOTHING = 1e-5  # Laplace's pseudo-count per cell; the published codes write 10e-6
_MOST_DIMENSIONS, _MOST_CELLS = 5, 3e7


def _rule(convention: str) -> _Rule:
    if convention not in _RULES:
        raise unknown_name("convention", convention, _RULES)
    return _RULES[convention]


def _check_size(bins: int, dimension: int) -> None:
    if bins < 1:
        raise ChaosbenchError(f"state_space_divergence needs at least one bin, not {bins}.")
    if dimension > _MOST_DIMENSIONS or bins**dimension > _MOST_CELLS:
        raise ChaosbenchError(
            f"state_space_divergence cannot fill a histogram of {bins}**{dimension} cells; observe at most "
            f"{_MOST_DIMENSIONS} dimensions and {_MOST_CELLS:.0e} cells, or use power_spectrum_distance."
        )


def _grid(truth: Tensor, bins: int, rule: _Rule) -> tuple[Tensor, Tensor]:
    """Return the lower edge and the extent of the grid in every dimension, `(D,)` each."""
    coordinates = truth.T.contiguous()  # reducing the last axis is several times faster
    least, most = coordinates.amin(-1), coordinates.amax(-1)
    centred = coordinates - coordinates.mean(-1, keepdim=True)
    reach = rule.margin * (centred.square().sum(-1) / (len(truth) - 1)).sqrt()  # `std` takes four times as long
    lower, upper = (-reach, reach) if rule.centred else (least - reach, most + reach)
    # A constant dimension gets a range of one, with the constant in the middle of a bin.
    constant = least == most
    lower = torch.where(constant, least - (bins // 2 + 0.5) / bins, lower)
    return lower, torch.where(constant, 1.0, upper - lower)


def _members(series: Tensor, axes: tuple[int, ...]) -> list[Tensor]:
    """Return a series `(T, D)` per member of the broadcast leading `axes`, without copies."""
    order = torch.arange(series.shape[:-2].numel()).reshape(series.shape[:-2]).expand(axes).flatten()
    flat = series.reshape(-1, *series.shape[-2:])
    return [flat[i] for i in order.tolist()]
