"""Backpropagation through short windows that start from z = 0."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.forcing import windowed_unroll
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.gradient_trainer import RATES, UnrollTrainer
from chaosbench.trainers.training_state import TrainingState


class WindowedBPTT(UnrollTrainer):
    """Each sequence is cut into windows of `window` steps, and the model starts each of them from z = 0.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, section 4.2, which shows that this does not help.
    """

    no_warm_up: ClassVar[str | None] = "its windows start from z = 0"
    kind: Literal["windowed_bptt"] = "windowed_bptt"
    window: int = Field(30, ge=1)  # [steps]

    @override
    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        return RATES

    @override
    def predict(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        return windowed_unroll(model, windows, self.window)

    @override
    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        return ForcingScheme(self.sequence_length, self.window, "zero")
