"""Truncated backpropagation through time."""

from typing import Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.forcing import truncated_unroll
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.gradient_trainer import RATES, UnrollTrainer
from chaosbench.trainers.training_state import TrainingState


class TruncatedBPTT(UnrollTrainer):
    """The model runs freely through each window; the gradient, but not the state, is cut every `truncation` steps.

    Source:
        Williams and Peng 1990, Neural Computation 2, 490; Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, section
        4.2, compare lengths of 10 to 200 steps.
    """

    kind: Literal["truncated_bptt"] = "truncated_bptt"
    truncation: int = Field(30, ge=1)  # [steps]

    @override
    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        return RATES

    @override
    def predict(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        return truncated_unroll(model, windows, self.truncation, warm_up=self.warm_up)

    @override
    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        return ForcingScheme(self.sequence_length, self.truncation, "kept", warm_up=self.warm_up)
