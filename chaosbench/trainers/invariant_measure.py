"""Optimal transport between summary statistics of the model's windows and of the data's."""

from collections.abc import Hashable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.data import Dataset, DataSpec
from chaosbench.dynamics.distances import sinkhorn_divergence, sliced_wasserstein
from chaosbench.errors import DataError
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.source import Source
from chaosbench.trainers.base import observed_dimension
from chaosbench.trainers.descent import OptimizerKind, Schedule
from chaosbench.trainers.forcing import forced_unroll
from chaosbench.trainers.forcing_interval import Interval, IntervalTrainer
from chaosbench.trainers.gradient_trainer import RATES
from chaosbench.trainers.training_state import TrainingState


class InvariantMeasure(IntervalTrainer):
    """Relative L2 error of forced windows, plus `weight` times the transport cost between their summary statistics.

    The statistics of a window are its points with their velocities, (x_t, x_(t+1) - x_t). With `"lorenz96"` they are
    (x_(k-1) (x_(k-2) - x_(k+1)), dx_k, x_k) for every site k and time. Both windows are standardised by the moments of
    the true one. The transport cost is a Sinkhorn divergence, or, cheaper, the sliced Wasserstein distance between
    projections on random directions.

    Source:
        Jiang, Lu, Orlova and Willett 2023, NeurIPS (2306.01187), settings for Lorenz-96. The paper predicts one step
        ahead, hence the default interval.
    """

    kind: Literal["invariant_measure"] = "invariant_measure"
    interval: Interval = 1  # tau [steps] of forcing, a multiple such as "0.4 tau_pred", or "autocorrelation"
    distance: Literal["sinkhorn", "sliced_wasserstein"] = "sinkhorn"
    statistics: Literal["velocity", "lorenz96"] = "velocity"
    weight: float = Field(3.0, ge=0)  # of the transport cost
    onset: float = Field(0.2, ge=0, le=1)  # of the transport cost, as a share of the updates
    blur: float = Field(0.02, gt=0)  # of "sinkhorn" [standard deviations]
    iterations: int = Field(10, ge=1)  # of "sinkhorn"
    points: int = Field(200, ge=1)  # largest number of points per window for "sinkhorn", drawn anew for each update
    directions: int = Field(50, ge=1)  # of "sliced_wasserstein"
    batch: int = Field(25, ge=1)  # B, windows per update
    sequence_length: int = Field(100, ge=2)  # T [steps]
    optimizer: OptimizerKind = "adamw"
    weight_decay: float = Field(1e-4, ge=0)  # of "adamw"
    schedule: Schedule = "cosine"  # of the learning rate, where it has a final value
    final_learning_rate: float | None = Field(1e-6, gt=0)  # reached by the schedule; None: constant

    @override
    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        return RATES

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        interval, target = int(training.extra_state["interval"]), self.split(windows)[1]
        predicted = forced_unroll(model, windows, interval, warm_up=self.warm_up)
        norms = [part.flatten(2).norm(dim=2) for part in (predicted - target, target)]
        error: Tensor = (norms[0] / norms[1]).mean(dim=1)
        if not training.fixed(lambda: self._transports(training)):
            return error
        return torch.add(error, self.transport(predicted, target, training).mean(dim=1), alpha=self.weight)

    @override
    def plan(self, training: TrainingState) -> Hashable:
        return super().plan(training), self._transports(training)

    def _transports(self, training: TrainingState) -> bool:
        """Return whether the loss of this update includes the transport cost."""
        return training.progress >= self.onset

    def transport(self, predicted: Tensor, target: Tensor, training: TrainingState) -> Tensor:
        """Return the transport cost of each pair of windows, `(K, B, T, D), (K, B, T, D) -> (K, B)`."""
        ours, theirs = self.summary(predicted), self.summary(target)
        mean, deviation = theirs.mean(dim=-2, keepdim=True), theirs.std(dim=-2, keepdim=True)
        ours, theirs = (ours - mean) / deviation, (theirs - mean) / deviation
        if self.distance == "sinkhorn":
            if ours.shape[-2] > self.points:
                ours, theirs = self._subsampled(ours, theirs, training)
            return sinkhorn_divergence(ours, theirs, blur=self.blur, iterations=self.iterations)
        directions = training.normal(1, ours.shape[-1], self.directions)
        return sliced_wasserstein(ours, theirs, directions / directions.norm(dim=-2, keepdim=True))

    def summary(self, window: Tensor) -> Tensor:
        """Return the statistics of a window as points, `(..., T, D) -> (..., points, coordinates)`."""
        here, velocity = window[..., :-1, :], window.diff(dim=-2)
        if self.statistics == "velocity":
            return torch.cat([here, velocity], dim=-1)
        advection = here.roll(1, -1) * (here.roll(2, -1) - here.roll(-1, -1))
        return torch.stack([advection, velocity, here], dim=-1).flatten(-3, -2)

    @override
    def check(self, data: Dataset) -> None:
        super().check(data)
        if reason := self._too_few_sites(data.dimension):
            raise DataError(reason)

    @override
    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        reason = self._too_few_sites(observed_dimension(system, data))
        return reason or super().incompatibility(system, data, model)

    def _subsampled(self, ours: Tensor, theirs: Tensor, training: TrainingState) -> tuple[Tensor, Tensor]:
        """Draw the same `points` points of both for each seed, since the cost grows with their square."""
        index = training.uniform(ours.shape[-2]).argsort(dim=-1)[:, None, : self.points, None]
        index = index.expand(-1, ours.shape[1], -1, ours.shape[-1])
        return ours.gather(2, index), theirs.gather(2, index)

    def _too_few_sites(self, dimension: int) -> str | None:
        if self.statistics == "lorenz96" and dimension < 4:
            return f"statistics = 'lorenz96' needs a ring of at least 4 sites, but {dimension} are observed"
        return None
