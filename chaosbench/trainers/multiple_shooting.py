"""Multiple shooting: short runs from learned starts, drawn together at their seams."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.data import Dataset, DataSpec
from chaosbench.errors import DataError
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.source import Source
from chaosbench.trainers.base import GradientTrainer, squared_error
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.training_state import TrainingState


class MultipleShooting(GradientTrainer):
    """Training orbits are cut every `interval` steps; each cut has a state of its own, learned beside the weights.

    The loss is the error of the runs from cut to cut plus `continuity` times the mean of |end_i - start_(i+1)|². States
    begin where the data put them. They belong to the data and not to the model: forecasts start from data as ever.

    Source:
        Bock 1981, Springer Series in Chemical Physics 18, 102; for networks, Turan and Jaeschke 2022, IEEE Control
        Systems Letters 6, 1897 (2109.06786). Interval and weight are ours.
    """

    kind: Literal["multiple_shooting"] = "multiple_shooting"
    interval: int = Field(10, ge=1)  # [steps] from cut to cut
    continuity: float = Field(1.0, ge=0)  # weight of the gaps at the seams

    @property
    def segments(self) -> int:
        """Runs per window."""
        return self.sequence_length // self.interval

    def extra_state(self, model: Forecaster, data: Dataset) -> dict[str, Tensor]:
        """States at the cuts of every orbit, `(K, N * cuts, S)`, trained."""
        observations = data.train[:, : self._cuts(data) * self.interval : self.interval].flatten(0, 1)
        with torch.no_grad():
            states = model.initial_state(observations.expand(model.seeds, -1, -1).contiguous())
        return {"states": states.clone().requires_grad_()}

    def windows(self, training: TrainingState) -> Tensor:
        """Windows that begin at cuts, `(K, B, segments * interval + 1, D)`."""
        train, cuts = training.data.train, self._cuts(training.data)
        starts = cuts - self.segments + 1
        draws = [torch.randint(len(train) * starts, (self.batch,), generator=one) for one in training.windows]
        drawn = torch.stack(draws).to(train.device)
        orbit, cut = drawn // starts, drawn % starts
        training.extra_state["cuts"] = orbit * cuts + cut
        stretches = train.unfold(1, self.segments * self.interval + 1, 1)
        windows: Tensor = stretches[orbit, cut * self.interval].mT
        return windows

    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Mean squared error of the runs, and the gaps between them."""
        batch = windows.shape[1]
        index = training.extra_state["cuts"][:, :, None] + torch.arange(self.segments, device=windows.device)
        seeds = torch.arange(model.seeds, device=windows.device)[:, None, None]
        starts = training.extra_state["states"][seeds, index]  # (K, B, segments, S)
        predicted, ends = model.predict(starts.flatten(1, 2), self.interval)
        error = squared_error(predicted.unflatten(1, (batch, self.segments)).flatten(2, 3), windows[:, :, 1:])
        gaps = ends.unflatten(1, (batch, self.segments))[:, :, :-1] - starts[:, :, 1:]
        return torch.add(error, gaps.square().sum(dim=-1).flatten(1).mean(dim=1), alpha=self.continuity)

    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        """Cut at every seam, where a learned state begins."""
        return ForcingScheme(self.segments * self.interval, self.interval, "learned")

    def check(self, data: Dataset) -> None:
        """A window must have a seam."""
        super().check(data)
        if self.segments < 2:
            raise DataError(self._seamless())

    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """A window must have a seam."""
        return self._seamless() if self.segments < 2 else super().incompatibility(system, data, model)

    def _cuts(self, data: Dataset) -> int:
        """Cuts of an orbit from which a whole run follows."""
        return (data.train.shape[1] - 1) // self.interval

    def _seamless(self) -> str:
        return (
            f"a window of {self.sequence_length} steps has no seam where cuts are {self.interval} steps apart; "
            f"give at least sequence_length = {2 * self.interval}"
        )
