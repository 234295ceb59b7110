"""The loss and the gradient norm of a training."""

from typing import ClassVar, Literal

from torch import Tensor
from typing_extensions import override

from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.trainers.base import TrainingStep


class Loss(DiagnosticSpec):
    """Training loss on the batch of the update."""

    kind: Literal["loss"] = "loss"
    unit: ClassVar[str] = "1"

    @override
    def measure(self, step: TrainingStep) -> Tensor:
        return step.loss


class GradientNorm(DiagnosticSpec):
    """Euclidean norm of the loss gradient before clipping; Theorem 2 relates it to the largest Lyapunov exponent.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, equations 5 and 6.
    """

    kind: Literal["gradient_norm"] = "gradient_norm"
    unit: ClassVar[str] = "1"

    @override
    def measure(self, step: TrainingStep) -> Tensor:
        return step.gradient_norms()
