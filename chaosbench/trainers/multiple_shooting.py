"""Multiple shooting: short runs from learned starts, with penalties on the gaps between them."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.data import Dataset, DataSpec
from chaosbench.errors import DataError
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.source import Source
from chaosbench.trainers.base import squared_error
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.gradient_trainer import RATES, GradientTrainer
from chaosbench.trainers.training_state import TrainingState


class MultipleShooting(GradientTrainer):
    """Training orbits are cut every `interval` steps; each cut has its own state, learned along with the weights.

    The loss is the error of the runs from cut to cut plus `continuity` times the mean of |end_i - start_(i+1)|². The
    states are initialised from data. They are no part of the model: forecasts start from data, as for every trainer.

    Source:
        Bock 1981, Springer Series in Chemical Physics 18, 102; for networks, Turan and Jaeschke 2022, IEEE Control
        Systems Letters 6, 1897 (2109.06786). Interval and weight are ours.
    """

    no_warm_up: ClassVar[str | None] = "the states at the cuts are learned"
    kind: Literal["multiple_shooting"] = "multiple_shooting"
    interval: int = Field(10, ge=1)  # [steps] between cuts
    continuity: float = Field(1.0, ge=0)  # weight of the gaps at the cuts

    @override
    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        return RATES

    @property
    def segments(self) -> int:
        """Number of runs per window."""
        return self.sequence_length // self.interval

    @override
    def window_length(self, training: TrainingState) -> int:
        return self.segments * self.interval

    @override
    def extra_state(self, model: Forecaster, data: Dataset) -> dict[str, Tensor]:
        """Return the trained states at the cuts of all orbits, `(K, N * cuts, S)`."""
        observations = data.train[:, : self._cuts(data) * self.interval : self.interval].flatten(0, 1)
        with torch.no_grad():
            states = model.initial_state(observations.expand(model.seeds, -1, -1).unsqueeze(2).contiguous())
        return {"states": states.clone().requires_grad_()}

    @override
    def windows(self, training: TrainingState) -> Tensor:
        """Draw windows that begin at cuts, `(K, B, segments * interval + 1, D)`."""
        train, cuts = training.data.train, self._cuts(training.data)
        starts = cuts - self.segments + 1
        index = training.given(lambda: training.starts.draw(self.batch, len(train) * starts, train.device))
        orbit, cut = index // starts, index % starts
        training.extra_state["cuts"] = orbit * cuts + cut
        stretches = train.unfold(1, self.window_length(training) + 1, 1)
        windows: Tensor = stretches[orbit, cut * self.interval].mT
        return windows

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        batch = windows.shape[1]
        index = training.extra_state["cuts"][:, :, None] + torch.arange(self.segments, device=windows.device)
        seeds = torch.arange(model.seeds, device=windows.device)[:, None, None]
        starts = training.extra_state["states"][seeds, index]  # (K, B, segments, S)
        predicted, ends = model.predict(starts.flatten(1, 2), self.interval)
        error = squared_error(predicted.unflatten(1, (batch, self.segments)).flatten(2, 3), windows[:, :, 1:])
        gaps = ends.unflatten(1, (batch, self.segments))[:, :, :-1] - starts[:, :, 1:]
        return torch.add(error, gaps.square().sum(dim=-1).flatten(1).mean(dim=1), alpha=self.continuity)

    @override
    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        return ForcingScheme(self.window_length(training), self.interval, "learned")

    @override
    def check(self, data: Dataset) -> None:
        super().check(data)
        if reason := self._too_short():
            raise DataError(reason)

    @override
    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        return self._too_short() or super().incompatibility(system, data, model)

    def _cuts(self, data: Dataset) -> int:
        """Return the number of cuts in an orbit from which a whole run follows."""
        return (data.train.shape[1] - 1) // self.interval

    def _too_short(self) -> str | None:
        """Return why windows contain no cut; None if they do."""
        if self.segments >= 2:
            return None
        return (
            f"a window of {self.sequence_length} steps contains no cut if cuts are {self.interval} steps apart; "
            f"give at least sequence_length = {2 * self.interval}"
        )
