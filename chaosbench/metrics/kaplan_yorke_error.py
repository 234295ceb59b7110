"""How far the model's attractor is from the system's in dimension, by its Lyapunov exponents."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from chaosbench.dynamics import kaplan_yorke_dimension
from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, like
from chaosbench.metrics.base import Evaluation, MetricSpec


def kaplan_yorke_error(exponents: ArrayT, reference: Array, *, resolution: float = 0.0) -> ArrayT:
    """Error of the Kaplan-Yorke dimension, |D(exponents) - D(reference)|.

    The dimension jumps by one where the largest exponent passes zero, as a cycle's does by chance; so what cannot be
    told from zero counts as zero.

    Args:
        exponents: `(..., M)`, descending [1 / system time]; numpy array or tensor. Too few for their sum to fall below
            zero give a dimension of M, a lower bound.
        reference: `(M',)`, the system's, descending [1 / system time].
        resolution: exponents at most this far from zero, of both, count as zero [1 / system time].

    Returns:
        `(...)`, of the kind of `exponents`; NaN where an exponent is, and where M is less than the reference's
        dimension, which no M exponents could show.

    Source:
        Kaplan and Yorke 1979, Lecture Notes in Mathematics 730, 204.
    """
    values, expected = as_tensors(exponents, reference)
    own, theirs = (kaplan_yorke_dimension(torch.where(one.abs() <= resolution, 0.0, one)) for one in (values, expected))
    shown = theirs <= values.shape[-1]
    return like(torch.where(shown, (own - theirs).abs(), torch.nan), exponents)


class KaplanYorkeError(MetricSpec):
    """Error of the Kaplan-Yorke dimension of the free-running model (Kaplan and Yorke 1979)."""

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["kaplan_yorke_error"] = "kaplan_yorke_error"

    def score(self, evaluation: Evaluation) -> Tensor:
        """`(K,)`; NaN where the model diverged and, for the floor as well, without a certified spectrum.

        So it is where fewer exponents were measured than the system has dimensions; `evaluation.exponents` asks for
        more.
        """
        reference = evaluation.reference_exponents
        if reference is None:
            return torch.full_like(evaluation.exponents[:, 0], torch.nan, dtype=torch.float64)
        return kaplan_yorke_error(evaluation.exponents, reference, resolution=evaluation.resolution)
