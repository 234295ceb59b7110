"""The cost of transporting the states of one attractor to the other, averaged over projections on lines."""

from typing import ClassVar, Literal

import torch
from pydantic import PositiveInt
from torch import Generator, Tensor

from chaosbench.dynamics.distances import sliced_wasserstein
from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, check_dimensions, each_member, like, thinned
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import FreeRunMetric


def sliced_wasserstein_distance(
    generated: ArrayT, truth: Array, *, order: int = 2, directions: int = 100, points: int = 10_000, seed: int = 0
) -> ArrayT:
    """Return the sliced Wasserstein distance, the root mean power over random directions.

    On a line the optimal transport joins sorted values. A set shifted by v in D dimensions scores |v| / sqrt(D) at
    order 2, because each direction sees only its part of the shift.

    Args:
        generated: `(..., T, D)`, numpy array or tensor.
        truth: `(T, D)`; the length may differ.
        order: p of the p-Wasserstein distance; 1 is the earth mover's distance.
        directions: number of random directions.
        points: number of points of each series to use, evenly spread over it; at most those of the shorter series.
        seed: seed of the directions, the same for every member.

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
    true_points = thinned(actual, count)
    powers = each_member(
        thinned(series, count), lambda member: sliced_wasserstein(member, true_points, lines, order=order)
    )
    return like(powers ** (1 / order), generated)


class SlicedWassersteinDistance(FreeRunMetric):
    """Sliced Wasserstein distance of the attractor from the true one, median over free runs, in standard deviations.

    Source: Bonneel, Rabin, Peyre and Pfister 2015, Journal of Mathematical Imaging and Vision 51, 22.
    """

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["sliced_wasserstein_distance"] = "sliced_wasserstein_distance"
    order: Literal[1, 2] = 2  # of the Wasserstein distance
    directions: PositiveInt = 100  # number of random directions
    points: PositiveInt = 10_000  # of each free run, evenly spread

    def each_run(self, evaluation: Evaluation) -> Tensor:
        """Return the score of each free run, `(K, R)` [standard deviations]; NaN where it is not finite."""

        def distance(generated: Tensor, orbit: Tensor) -> Tensor:
            return sliced_wasserstein_distance(
                generated, orbit, order=self.order, directions=self.directions, points=self.points
            )

        return evaluation.standardised().each_run(distance)
