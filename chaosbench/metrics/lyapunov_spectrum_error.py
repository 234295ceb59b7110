"""The relative error of all Lyapunov exponents that model and system share."""

from math import log
from typing import ClassVar, Literal

import torch
from pydantic import PositiveInt
from torch import Tensor

from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, like
from chaosbench.metrics.base import Evaluation, Judged, MetricSpec


def lyapunov_spectrum_error(exponents: ArrayT, reference: Array, *, leading: int | None = None) -> ArrayT:
    """Return the relative error of a Lyapunov spectrum, sum_i |model_i - reference_i| / sum_i |reference_i|.

    Absolute errors are summed before they are divided: a flow has an exponent of zero, which has no relative error.

    Args:
        exponents: `(..., M)`, descending [1 / system time]; numpy array or tensor.
        reference: `(M',)`, the system's exponents, descending [1 / system time].
        leading: number of leading exponents to compare; None: as many as both have. A model with a larger state than
            the system has additional exponents without a counterpart; contracting ones come last.

    Returns:
        `(...)`, of the kind of `exponents`; NaN where an exponent is NaN, and where the reference is all zero.
    """
    values, expected = as_tensors(exponents, reference)
    count = min(values.shape[-1], expected.shape[-1], leading or values.shape[-1])
    values, expected = values[..., :count], expected[:count]
    size = expected.abs().sum()
    return like((values - expected).abs().sum(-1) / torch.where(size > 0, size, torch.nan), exponents)


class LyapunovSpectrumError(MetricSpec):
    """Relative error of the Lyapunov spectrum of the free-running model, over the leading exponents that both have."""

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    judges: ClassVar[Judged] = "exponents"

    kind: Literal["lyapunov_spectrum_error"] = "lyapunov_spectrum_error"
    leading: PositiveInt | None = None  # number of leading exponents to compare; None: all that both have

    def score(self, evaluation: Evaluation) -> Tensor:
        """Return `(K,)`; NaN where too few runs are bounded and, as for the floor, without a certified spectrum."""
        reference = evaluation.reference_exponents
        if reference is None:
            return torch.full_like(evaluation.exponents[:, 0], torch.nan, dtype=torch.float64)
        # A direction that vanishes in a single step has the exponent minus infinity, or whatever rounding leaves.
        vanished = log(torch.finfo(evaluation.free_run.dtype).eps) / evaluation.dt
        return lyapunov_spectrum_error(evaluation.exponents.clamp(min=vanished), reference, leading=self.leading)
