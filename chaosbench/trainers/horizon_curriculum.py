"""A curriculum over the horizon: first short forecasts, then longer ones."""

from math import ceil
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.errors import DataError
from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.base import GradientTrainer, squared_error
from chaosbench.trainers.forcing import Interval, interval_in_steps, sequential_unroll
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.training_state import TrainingState


class HorizonCurriculum(GradientTrainer):
    """Free runs from data whose length grows in `stages` equal shares of the updates, from `first` to the whole window.

    Stage s of S has ceil(first (sequence_length / first)^(s / (S - 1))) steps, as ceil(c / lambda) with growing c does.

    Source:
        Bengio, Louradour, Collobert and Weston 2009, ICML, for curricula; for dynamical systems, Bucci et al. 2023,
        European Physical Journal E 46, 12. The geometric growth is ours.
    """

    kind: Literal["horizon_curriculum"] = "horizon_curriculum"
    first: Interval = 5  # [steps], a multiple such as "0.1 tau_pred", or "autocorrelation"
    stages: int = Field(5, ge=2)
    clip_norm: float | None = Field(1.0, gt=0)  # largest gradient norm of a seed; None: not clipped

    def extra_state(self, model: Forecaster, data: Dataset) -> dict[str, Tensor]:
        """The first horizon [steps]."""
        return {"first": torch.tensor(interval_in_steps(self.first, data))}

    def horizon(self, training: TrainingState) -> int:
        """This update's length of run [steps]."""
        first, stage = int(training.extra_state["first"]), int(training.progress * self.stages)
        growth: float = (self.sequence_length / first) ** (stage / (self.stages - 1))
        return min(self.sequence_length, ceil(first * growth - 1e-9))  # a whole number is not rounded up

    def windows(self, training: TrainingState) -> Tensor:
        """Windows as long as the run."""
        return training.data.windows(self.batch, self.horizon(training), training.windows)

    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Mean squared error of the free run."""
        return squared_error(sequential_unroll(model, windows, windows.shape[2] - 1), windows[:, :, 1:])

    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        """As long as this update's run."""
        return ForcingScheme(self.horizon(training))

    def check(self, data: Dataset) -> None:
        """The first horizon must fit into a window."""
        super().check(data)
        first = interval_in_steps(self.first, data)
        if first > self.sequence_length:
            raise DataError(f"first = {first} steps is beyond sequence_length = {self.sequence_length}; lower it")
