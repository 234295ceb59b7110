"""What every training run is watched by: its loss and its gradient norm."""

from typing import ClassVar, Literal

from torch import Tensor
from typing_extensions import override

from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.trainers.base import TrainingStep


class Loss(DiagnosticSpec):
    """The training loss of the update's batch."""

    kind: Literal["loss"] = "loss"
    unit: ClassVar[str] = "1"

    @override
    def measure(self, step: TrainingStep) -> Tensor:
        return step.loss


class GradientNorm(DiagnosticSpec):
    """Euclidean norm of the loss gradient before clipping, which Theorem 2 ties to the largest Lyapunov exponent.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, equations 5 and 6.
    """

    kind: Literal["gradient_norm"] = "gradient_norm"
    unit: ClassVar[str] = "1"

    @override
    def measure(self, step: TrainingStep) -> Tensor:
        return step.gradient_norms()
