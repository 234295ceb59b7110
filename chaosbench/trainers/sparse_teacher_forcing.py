"""Sparse teacher forcing: the state set from data every tau steps."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.models.base import Forecaster
from chaosbench.trainers.base import GradientTrainer, squared_error
from chaosbench.trainers.forcing import forced_unroll, interval_in_steps, tau_pred_factor


def _readable(interval: str) -> str:
    tau_pred_factor(interval)
    return interval


Interval = Annotated[int, Field(ge=1)] | Annotated[str, AfterValidator(_readable)]


class SparseTeacherForcing(GradientTrainer):
    """Backpropagation through time with the state set to B⁺ x every `interval` steps, so that gradients grow no longer.

    `"tau_pred"`, the predictability time ln 2 / lambda_max, is the paper's rule; practice favours a fraction of it.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS (2110.07238), section 4.1; no clipping, as there.
    """

    kind: Literal["sparse_teacher_forcing"] = "sparse_teacher_forcing"
    interval: Interval = "tau_pred"  # tau [steps], or a multiple of tau_pred such as "0.4 tau_pred"

    def loss(self, model: Forecaster, windows: Tensor, data: Dataset) -> Tensor:
        """Mean squared error under forcing, taken before each forcing."""
        predicted = forced_unroll(model, windows, interval_in_steps(self.interval, data))
        return squared_error(predicted, windows[:, :, 1:])

    def check(self, data: Dataset) -> None:
        """The interval must mean something for this system."""
        super().check(data)
        interval_in_steps(self.interval, data)
