"""The maximum mean discrepancy of two attractors, a kernel distance of their states (MMD)."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from chaosbench.dynamics.distances import maximum_mean_discrepancy
from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, check_dimensions, each_member, like, thinned
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import FreeRunMetric

_SCALES = (0.2, 0.5, 0.9, 1.3)


def kernel_discrepancy(
    generated: ArrayT, truth: Array, *, scales: Sequence[float] = _SCALES, points: int = 2_000
) -> ArrayT:
    """Return the squared maximum mean discrepancy, MMD², with the kernel sum_a a² / (a² + |x - y|²).

    The estimate is biased and never negative: for n independent points of the same distribution it is near
    2 (k(0) - mean k) / n. It falls with `points`, so scores of different n do not compare.

    Args:
        generated: `(..., T, D)`, in units of the truth's standard deviation; numpy array or tensor.
        truth: `(T, D)`; the length may differ.
        scales: a, length scales of the kernel, in those units.
        points: number of points of each series to use, evenly spread over it; time and memory grow with their square.

    Returns:
        `(...)`, of the kind of `generated`, between 0 and twice the number of scales; NaN for a member that is not
        finite.

    Source:
        Gretton et al. 2012, Journal of Machine Learning Research 13, 723, equation 5; kernel: Schiff et al. 2024, ICML
        (2402.04467).
    """
    series, actual = as_tensors(generated, truth)
    check_dimensions(series, actual)
    true_points = thinned(actual, points)
    squared = each_member(thinned(series, points), lambda member: maximum_mean_discrepancy(member, true_points, scales))
    return like(squared.clamp(min=0), generated)  # rounding may make zero negative


class KernelDiscrepancy(FreeRunMetric):
    """Squared maximum mean discrepancy of the attractor from the true one, MMD², median over free runs.

    Source: Gretton et al. 2012, Journal of Machine Learning Research 13, 723; kernel: Schiff et al. 2024, ICML.
    """

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["kernel_discrepancy"] = "kernel_discrepancy"
    scales: tuple[PositiveFloat, ...] = Field(_SCALES, min_length=1)  # a of the kernel [standard deviations]
    points: PositiveInt = 2_000  # of each free run, evenly spread

    def each_run(self, evaluation: Evaluation) -> Tensor:
        """Return the score of each free run, `(K, R)`; NaN where it is not finite."""

        def discrepancy(generated: Tensor, orbit: Tensor) -> Tensor:
            return kernel_discrepancy(generated, orbit, scales=self.scales, points=self.points)

        return evaluation.standardised().each_run(discrepancy)
