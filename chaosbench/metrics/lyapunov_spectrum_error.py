"""How far the model's tangent dynamics is from the system's, by all Lyapunov exponents that both have."""

from math import log
from typing import ClassVar, Literal

import torch
from pydantic import PositiveInt
from torch import Tensor

from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, like
from chaosbench.metrics.base import Evaluation, MetricSpec


def lyapunov_spectrum_error(exponents: ArrayT, reference: Array, *, leading: int | None = None) -> ArrayT:
    """Relative error of a Lyapunov spectrum, sum_i |model_i - reference_i| / sum_i |reference_i|.

    Absolute errors are summed before they are divided: a flow has an exponent of zero, which has no relative error.

    Args:
        exponents: `(..., M)`, descending [1 / system time]; numpy array or tensor.
        reference: `(M',)`, the system's, descending [1 / system time].
        leading: how many count, the largest first; None is as many as both have. A model whose state is larger than
            the system's has exponents that mean nothing; they come last where they contract.

    Returns:
        `(...)`, of the kind of `exponents`; NaN where an exponent is, and where the reference's are all zero.
    """
    values, expected = as_tensors(exponents, reference)
    count = min(values.shape[-1], expected.shape[-1], leading or values.shape[-1])
    values, expected = values[..., :count], expected[:count]
    size = expected.abs().sum()
    return like((values - expected).abs().sum(-1) / torch.where(size > 0, size, torch.nan), exponents)


class LyapunovSpectrumError(MetricSpec):
    """Relative error of the Lyapunov spectrum of the free-running model, of the leading exponents that both have."""

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["lyapunov_spectrum_error"] = "lyapunov_spectrum_error"
    leading: PositiveInt | None = None  # how many exponents count; None: all that were measured of both

    def score(self, evaluation: Evaluation) -> Tensor:
        """`(K,)`; NaN where the model diverged and, for the floor as well, without a certified spectrum."""
        reference = evaluation.reference_exponents
        if reference is None:
            return torch.full_like(evaluation.exponents[:, 0], torch.nan, dtype=torch.float64)
        # A direction that is lost in one step has an exponent of minus infinity, or of whatever rounding leaves of it.
        lost = log(torch.finfo(evaluation.free_run.dtype).eps) / evaluation.dt
        return lyapunov_spectrum_error(evaluation.exponents.clamp(min=lost), reference, leading=self.leading)
