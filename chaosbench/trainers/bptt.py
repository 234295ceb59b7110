"""Backpropagation through time, with the customary remedies."""

from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.models.base import Forecaster
from chaosbench.trainers.base import GradientTrainer, squared_error
from chaosbench.trainers.forcing import sequential_unroll, truncated_unroll


class BPTT(GradientTrainer):
    """The model runs freely from the first observation of each window; gradients flow through the whole of it.

    `truncation` cuts the gradient, but not the state, every so many steps; `window` cuts each sequence into stretches
    that start anew from a zero state, as in the paper's ablations.

    Source:
        Werbos 1990, Proceedings of the IEEE 78, 1550; the remedies as compared in Mikhaeil, Monfared and Durstewitz
        2022, NeurIPS, section 4.2.
    """

    kind: Literal["bptt"] = "bptt"
    clip_norm: float | None = Field(1.0, gt=0)  # largest gradient norm of a seed; None: not clipped
    truncation: int | None = Field(None, ge=1)  # [steps]
    window: int | None = Field(None, ge=1)  # [steps]

    def loss(self, model: Forecaster, windows: Tensor, data: Dataset) -> Tensor:  # noqa: ARG002  # needs no system
        """Mean squared error of the free run."""
        steps = windows.shape[2] - 1
        if self.window is not None:
            return _windowed_error(model, windows, self.window)
        if self.truncation is not None:
            predicted = truncated_unroll(model, windows, self.truncation)
        else:
            predicted = sequential_unroll(model, windows, steps)
        return squared_error(predicted, windows[:, :, 1:])

    @model_validator(mode="after")
    def _one_cut_at_a_time(self) -> Self:
        if self.truncation is not None and self.window is not None:
            raise ValueError("truncation and window exclude each other: a window already cuts the gradient")
        return self


def _windowed_error(model: Forecaster, windows: Tensor, window: int) -> Tensor:
    """The error of stretches that each start from z = 0, folded into the batch since none sees another."""
    steps = windows.shape[2] - 1
    window = min(window, steps)
    segments = -(-steps // window)
    state = windows.new_zeros(windows.shape[0], windows.shape[1] * segments, model.state_size)
    predicted, _ = model.predict(state, window)
    predicted = predicted.unflatten(1, (windows.shape[1], segments)).flatten(2, 3)[:, :, :steps]
    return squared_error(predicted, windows[:, :, 1:])
