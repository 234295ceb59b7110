"""Backpropagation through time, with the customary remedies."""

from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor

from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.base import GradientTrainer, squared_error
from chaosbench.trainers.forcing import sequential_unroll, truncated_unroll, windowed_unroll
from chaosbench.trainers.forcing_scheme import ForcingScheme, Restart
from chaosbench.trainers.training_state import TrainingState


class BPTT(GradientTrainer):
    """The model runs freely from the first observation of each window; gradients flow through the whole of it.

    `truncation` and `window` make of it what the kinds `truncated_bptt` and `windowed_bptt` are.

    Source:
        Werbos 1990, Proceedings of the IEEE 78, 1550; clipped to the norm 1, as the baseline of Mikhaeil, Monfared
        and Durstewitz 2022, NeurIPS, section 4.2, where T = 1000.
    """

    kind: Literal["bptt"] = "bptt"
    clip_norm: float | None = Field(1.0, gt=0)  # largest gradient norm of a seed; None: not clipped
    truncation: int | None = Field(None, ge=1)  # [steps]
    window: int | None = Field(None, ge=1)  # [steps]

    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Mean squared error of the free run."""
        if self.window is not None:
            predicted = windowed_unroll(model, windows, self.window)
        elif self.truncation is not None:
            predicted = truncated_unroll(model, windows, self.truncation)
        else:
            predicted = sequential_unroll(model, windows, windows.shape[2] - 1)
        return squared_error(predicted, windows[:, :, 1:])

    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        """Cut at every truncation; or at every window, which begins from z = 0."""
        state: Restart = "kept" if self.window is None else "blank"
        return ForcingScheme(self.sequence_length, self.truncation or self.window, state)

    @model_validator(mode="after")
    def _one_cut_at_a_time(self) -> Self:
        if self.truncation is not None and self.window is not None:
            raise ValueError("truncation and window exclude each other: a window already cuts the gradient")
        return self
