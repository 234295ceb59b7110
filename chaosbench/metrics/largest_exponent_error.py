"""The relative error of the largest Lyapunov exponent."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from chaosbench.metrics.arrays import ArrayT, as_tensors, like
from chaosbench.metrics.base import Evaluation, Judged, MetricSpec


def largest_exponent_error(exponents: ArrayT, reference: float) -> ArrayT:
    """Return the relative error of the largest Lyapunov exponent, |model - reference| / |reference|.

    A good overlap of the attractors does not imply a right exponent, hence a separate score.

    Args:
        exponents: `(..., M)`, sorted, the largest first [1 / system time]; numpy array or tensor.
        reference: the system's largest exponent [1 / system time].

    Returns:
        `(...)`, of the kind of `exponents`; NaN where the exponent is NaN, and where the reference is zero.
    """
    (values,) = as_tensors(exponents)
    scale = abs(reference) or torch.nan
    return like((values[..., 0] - reference).abs() / scale, exponents)


class LargestExponentError(MetricSpec):
    """Relative error of the largest Lyapunov exponent of the free-running model."""

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    judges: ClassVar[Judged] = "exponents"

    kind: Literal["largest_exponent_error"] = "largest_exponent_error"

    def score(self, evaluation: Evaluation) -> Tensor:
        """Return `(K,)`; NaN where too few runs are bounded and, for the floor as well, without a known reference."""
        reference = evaluation.largest_exponent
        return largest_exponent_error(evaluation.exponents, torch.nan if reference is None else reference)
