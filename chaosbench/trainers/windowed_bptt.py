"""Backpropagation through short windows that know nothing of what was before."""

from typing import Literal

from pydantic import Field
from torch import Tensor

from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.base import GradientTrainer, squared_error
from chaosbench.trainers.forcing import windowed_unroll
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.training_state import TrainingState


class WindowedBPTT(GradientTrainer):
    """Each sequence is cut into stretches of `window` steps that start from z = 0.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, section 4.2, where it is shown not to help.
    """

    kind: Literal["windowed_bptt"] = "windowed_bptt"
    window: int = Field(30, ge=1)  # [steps]

    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Mean squared error of all stretches."""
        return squared_error(windowed_unroll(model, windows, self.window), windows[:, :, 1:])

    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        """Cut at every window, which begins from z = 0."""
        return ForcingScheme(self.sequence_length, self.window, "zero")
