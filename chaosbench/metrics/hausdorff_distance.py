"""The distance of the farthest state of either attractor from the other attractor."""

from typing import ClassVar, Literal

from pydantic import PositiveInt
from torch import Tensor

from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, check_dimensions, each_member, like, thinned
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import FreeRunMetric


def hausdorff_distance(generated: ArrayT, truth: Array, *, points: int = 10_000) -> ArrayT:
    """Return the Hausdorff distance, the largest distance from a point of either set to the nearest of the other.

    It depends on the sets alone and not on how often a state is visited, so a single excursion decides it.

    Args:
        generated: `(..., T, D)`, numpy array or tensor.
        truth: `(T, D)`; the length may differ.
        points: number of points of each series to use, evenly spread over it; fewer points give larger distances.

    Returns:
        `(...)` [units of the series], of the kind of `generated`; NaN for a member that is not finite.

    Source:
        Hausdorff 1914, Grundzüge der Mengenlehre; on attractors: Göring et al. 2024, ICML (2402.18377).
    """
    from scipy.spatial.distance import directed_hausdorff

    series, actual = as_tensors(generated, truth)
    check_dimensions(series, actual)
    true = thinned(actual, points).cpu().numpy()

    def distance(member: Tensor) -> Tensor:
        own = member.cpu().numpy()
        return member.new_tensor(max(directed_hausdorff(own, true)[0], directed_hausdorff(true, own)[0]))

    return like(each_member(thinned(series, points), distance), generated)


class HausdorffDistance(FreeRunMetric):
    """Hausdorff distance of the attractor from the true one, median over free runs, in standard deviations.

    Source: Hausdorff 1914; on attractors: Göring et al. 2024, ICML (2402.18377).
    """

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["hausdorff_distance"] = "hausdorff_distance"
    points: PositiveInt = 10_000  # of each free run, evenly spread

    def each_run(self, evaluation: Evaluation) -> Tensor:
        """Return the score of each free run, `(K, R)` [standard deviations]; NaN where it is not finite."""

        def distance(generated: Tensor, orbit: Tensor) -> Tensor:
            return hausdorff_distance(generated, orbit, points=self.points)

        return evaluation.standardised().each_run(distance)
