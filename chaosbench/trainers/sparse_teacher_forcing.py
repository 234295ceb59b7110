"""Sparse teacher forcing: the state set from data every tau steps."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.models.forecaster import Forecaster
from chaosbench.seeds import seed_generator
from chaosbench.trainers.base import GradientTrainer, squared_error
from chaosbench.trainers.forcing import Interval, forced_unroll, interval_in_steps
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.training_state import TrainingState


class SparseTeacherForcing(GradientTrainer):
    """Backpropagation through time with the state set to B⁺ x every `interval` steps, so that gradients grow no longer.

    `"tau_pred"`, the predictability time ln 2 / lambda_max, is the paper's rule; practice favours a fraction of it.
    Whether the whole state is set or a part of it is the read-out's business. With a `spread`, one tau is drawn per
    update for all seeds, which keeps the batch one program and a seed's result independent of its neighbours.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS (2110.07238), section 4.1; no clipping, as there. Forcing of a
        part, and tau from the autocorrelation: Brenner et al. 2022, ICML (2207.02542).
    """

    kind: Literal["sparse_teacher_forcing"] = "sparse_teacher_forcing"
    interval: Interval = "tau_pred"  # tau [steps], a multiple such as "0.4 tau_pred", or "autocorrelation"
    spread: int = Field(0, ge=0)  # [steps]; tau is uniform within interval +- spread, and at least 1
    anneal: bool = False  # tau grows from 1 to the interval: floor((interval - 1) update / updates) + 1

    def extra_state(self, model: Forecaster, data: Dataset) -> dict[str, Tensor]:
        """The interval [steps]."""
        return {"interval": torch.tensor(interval_in_steps(self.interval, data))}

    def interval_at(self, training: TrainingState) -> int:
        """This update's tau [steps]."""
        interval = self._middle(training)
        if self.spread:
            generator = seed_generator(training.update, "forcing interval")
            shift = torch.randint(-self.spread, self.spread + 1, (), generator=generator)
            interval = max(1, interval + int(shift))
        return interval

    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Mean squared error under forcing, taken before each forcing."""
        predicted = forced_unroll(model, windows, self.interval_at(training))
        return squared_error(predicted, windows[:, :, 1:])

    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        """Forced every tau steps, of a spread the mean one: which was drawn last says nothing of training."""
        draws = range(self._middle(training) - self.spread, self._middle(training) + self.spread + 1)
        return ForcingScheme(self.sequence_length, round(sum(max(1, one) for one in draws) / len(draws)))

    def check(self, data: Dataset) -> None:
        """The interval must mean something for this system."""
        super().check(data)
        interval_in_steps(self.interval, data)

    def _middle(self, training: TrainingState) -> int:
        """This update's tau before its draw [steps]."""
        interval = int(training.extra_state["interval"])
        return (interval - 1) * training.update // training.updates + 1 if self.anneal else interval
