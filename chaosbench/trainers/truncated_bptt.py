"""Truncated backpropagation through time."""

from typing import Literal

from pydantic import Field
from torch import Tensor

from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.base import GradientTrainer, squared_error
from chaosbench.trainers.forcing import truncated_unroll
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.training_state import TrainingState


class TruncatedBPTT(GradientTrainer):
    """The model runs freely through each window; its gradient, but not its state, is cut every `truncation` steps.

    Source:
        Williams and Peng 1990, Neural Computation 2, 490; lengths of 10 to 200 steps were compared in Mikhaeil,
        Monfared and Durstewitz 2022, NeurIPS, section 4.2.
    """

    kind: Literal["truncated_bptt"] = "truncated_bptt"
    truncation: int = Field(30, ge=1)  # [steps]

    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Mean squared error of the free run."""
        return squared_error(truncated_unroll(model, windows, self.truncation), windows[:, :, 1:])

    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        """Cut at every truncation."""
        return ForcingScheme(self.sequence_length, self.truncation, "kept")
