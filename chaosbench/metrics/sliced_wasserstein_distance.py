"""How far states have to be moved to turn one attractor into the other, seen from many directions."""

from typing import ClassVar, Literal

import torch
from pydantic import PositiveInt
from torch import Generator, Tensor

from chaosbench.dynamics.distances import sliced_wasserstein
from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, check_dimensions, each_member, like, thinned
from chaosbench.metrics.base import Evaluation, MetricSpec


def sliced_wasserstein_distance(
    generated: ArrayT, truth: Array, *, order: int = 2, directions: int = 100, points: int = 10_000, seed: int = 0
) -> ArrayT:
    """Wasserstein distance between the states projected on a line, root mean power over random directions.

    In one dimension the optimal transport joins sorted values. In D dimensions a set that is shifted by a vector v
    comes out |v| / sqrt(D) away at order 2: a direction sees only its part of the shift.

    Args:
        generated: `(..., T, D)`, numpy array or tensor.
        truth: `(T, D)`; the length may differ.
        order: p of the p-Wasserstein distance; 1 is the earth mover's.
        directions: how many.
        points: of each series that count, evenly spread over it; as many as the shorter has, where that is less.
        seed: of the directions, the same for every member.

    Returns:
        `(...)` [units of the series], of the kind of `generated`; NaN for a member that is not finite.

    Source:
        Bonneel, Rabin, Peyre and Pfister 2015, Journal of Mathematical Imaging and Vision 51, 22.
    """
    series, actual = as_tensors(generated, truth)
    check_dimensions(series, actual)
    count = min(points, series.shape[-2], actual.shape[-2])
    generator = Generator().manual_seed(seed)
    drawn = torch.randn(series.shape[-1], directions, dtype=torch.float64, generator=generator).to(series)
    lines = drawn / drawn.norm(dim=0)
    kept = thinned(actual, count)
    power = each_member(thinned(series, count), lambda one: sliced_wasserstein(one, kept, lines, order=order))
    return like(power ** (1 / order), generated)


class SlicedWassersteinDistance(MetricSpec):
    """Sliced Wasserstein distance of the attractor from the true one, free runs pooled, in standard deviations.

    Source: Bonneel, Rabin, Peyre and Pfister 2015, Journal of Mathematical Imaging and Vision 51, 22.
    """

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["sliced_wasserstein_distance"] = "sliced_wasserstein_distance"
    order: Literal[1, 2] = 2  # of the Wasserstein distance
    directions: PositiveInt = 100  # of the lines that states are projected on
    points: PositiveInt = 10_000  # of all free runs, evenly spread

    def score(self, evaluation: Evaluation) -> Tensor:
        """`(K,)` [standard deviations]; NaN where any of the seed's free runs diverged."""
        return sliced_wasserstein_distance(
            *evaluation.pooled(), order=self.order, directions=self.directions, points=self.points
        )
