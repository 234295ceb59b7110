"""The error of the attractor's dimension, estimated from Lyapunov exponents."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from chaosbench.dynamics import kaplan_yorke_dimension
from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, like
from chaosbench.metrics.base import Evaluation, Judged, MetricSpec


def kaplan_yorke_error(exponents: ArrayT, reference: Array, *, resolution: float = 0.0) -> ArrayT:
    """Return the error of the Kaplan-Yorke dimension, |D(exponents) - D(reference)|.

    The dimension jumps by one where the largest exponent changes sign, and the estimated exponent of a cycle, zero, has
    a random sign. Exponents within the resolution therefore count as zero.

    Args:
        exponents: `(..., M)`, descending [1 / system time]; numpy array or tensor. Exponents whose sum is not negative
            give a dimension of M, a lower bound.
        reference: `(M',)`, the system's exponents, descending [1 / system time].
        resolution: exponents of both with at most this magnitude count as zero [1 / system time].

    Returns:
        `(...)`, of the kind of `exponents`; NaN where an exponent is NaN, and where M is less than the reference's
        dimension, which M exponents cannot reach.

    Source:
        Kaplan and Yorke 1979, Lecture Notes in Mathematics 730, 204.
    """
    values, expected = as_tensors(exponents, reference)
    rounded = (torch.where(spectrum.abs() <= resolution, 0.0, spectrum) for spectrum in (values, expected))
    own, true = map(kaplan_yorke_dimension, rounded)
    within_reach = true <= values.shape[-1]
    return like(torch.where(within_reach, (own - true).abs(), torch.nan), exponents)


class KaplanYorkeError(MetricSpec):
    """Error of the Kaplan-Yorke dimension of the free-running model (Kaplan and Yorke 1979)."""

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    judges: ClassVar[Judged] = "exponents"

    kind: Literal["kaplan_yorke_error"] = "kaplan_yorke_error"

    def score(self, evaluation: Evaluation) -> Tensor:
        """Return `(K,)`; NaN where too few runs are bounded and, for the floor as well, without a certified spectrum.

        It is also NaN where fewer exponents were computed than the attractor has dimensions; `exponents` in a suite's
        `[evaluation]` sets their number.
        """
        reference = evaluation.reference_exponents
        if reference is None:
            return torch.full_like(evaluation.exponents[:, 0], torch.nan, dtype=torch.float64)
        return kaplan_yorke_error(evaluation.exponents, reference, resolution=evaluation.resolution)
