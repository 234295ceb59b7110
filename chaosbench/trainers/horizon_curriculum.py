"""A curriculum over the horizon: short forecasts first, longer ones later."""

from math import ceil
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.data import Dataset
from chaosbench.errors import DataError
from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.forcing import free_error
from chaosbench.trainers.forcing_interval import Interval, interval_in_steps
from chaosbench.trainers.gradient_trainer import RATES, GradientTrainer
from chaosbench.trainers.training_state import TrainingState


class HorizonCurriculum(GradientTrainer):
    """Free runs from data become longer in `stages` of equal numbers of updates, from `first` to `sequence_length`.

    Stage s of S has ceil(first (sequence_length / first)^(s / (S - 1))) steps, as ceil(c / lambda) with growing c.

    Source:
        Bengio, Louradour, Collobert and Weston 2009, ICML, for curricula; for dynamical systems, Bucci et al. 2023,
        European Physical Journal E 46, 12. The geometric growth is ours.
    """

    kind: Literal["horizon_curriculum"] = "horizon_curriculum"
    first: Interval = 5  # [steps], a multiple such as "0.1 tau_pred", or "autocorrelation"
    stages: int = Field(5, ge=2)  # S, of equal numbers of updates
    clip_norm: float | None = Field(1.0, gt=0)  # largest gradient norm of a seed; None: not clipped

    @override
    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        return RATES

    @override
    def extra_state(self, model: Forecaster, data: Dataset) -> dict[str, Tensor]:
        return {"first": torch.tensor(interval_in_steps(self.first, data))}

    @override
    def window_length(self, training: TrainingState) -> int:
        first, stage = int(training.extra_state["first"]), int(training.progress * self.stages)
        growth: float = (self.sequence_length / first) ** (stage / (self.stages - 1))
        return min(self.sequence_length, ceil(first * growth - 1e-9))  # rounding must not add a step to an integer

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        return free_error(model, windows, warm_up=self.warm_up)

    @override
    def check(self, data: Dataset) -> None:
        super().check(data)
        first = interval_in_steps(self.first, data)
        if first > self.sequence_length:
            raise DataError(f"first = {first} steps exceeds sequence_length = {self.sequence_length}; lower it")
