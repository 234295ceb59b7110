"""Dynamics-stable learning by invariant measures."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.dynamics.distances import maximum_mean_discrepancy
from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.base import GradientTrainer
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.training_state import TrainingState


class DySLIM(GradientTrainer):
    """Short free runs, compared with the data point by point and as measures.

    The loss is sum_k w_k (|x^_k - x_k|² / D + conditional D(x^_k, x_k) + unconditional D(x^_k, x*)) / sum_k w_k: D is
    MMD² between the batches at step k, x* a batch of points of the attractor, w_k = discount^(k - 1), or `least_weight`
    where that is more. Runs have one step at first and one more every `growth` updates. With `pushforward`, gradients
    pass the last alone.

    Source:
        Schiff et al. 2024, ICML (2402.04467), settings for Lorenz-63. Its batch is 2,048; ours is smaller, since the
        kernel's memory grows with its square, and its updates are 500,000.
    """

    kind: Literal["dyslim"] = "dyslim"
    conditional: float = Field(100.0, ge=0)  # weight of the distance to the batch's own future
    unconditional: float = Field(1.0, ge=0)  # weight of the distance to the attractor
    scales: tuple[float, ...] = Field((0.2, 0.5, 0.9, 1.3), min_length=1)  # a of the kernels
    discount: float = Field(0.1, gt=0, le=1)
    least_weight: float = Field(0.0, ge=0)
    growth: int = Field(5_000, ge=1)  # [updates] from one length of run to the next
    pushforward: bool = False
    batch: int = Field(256, ge=1)  # B, windows per update
    sequence_length: int = Field(10, ge=1)  # T [steps], the longest run
    updates: int = Field(50_000, ge=1)
    learning_rate: float = Field(1e-4, gt=0)

    def rollout(self, training: TrainingState) -> int:
        """This update's length of run [steps]."""
        return min(self.sequence_length, 1 + (training.update - 1) // self.growth)

    def windows(self, training: TrainingState) -> Tensor:
        """Windows as long as the run."""
        return training.data.windows(self.batch, self.rollout(training), training.windows)

    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Errors and distances, step by step."""
        steps = windows.shape[2] - 1
        predicted, target = self._run(model, windows, steps), windows[:, :, 1:]
        measured = steps - predicted.shape[2]  # steps that were only run through
        target = target[:, :, measured:]
        powers = torch.arange(measured, steps, device=windows.device)
        weights = torch.full_like(powers, self.discount, dtype=windows.dtype).pow(powers).clamp(min=self.least_weight)
        terms = (predicted - target).square().mean(dim=(1, 3))  # (K, steps)
        ours, theirs = predicted.transpose(1, 2), target.transpose(1, 2)  # (K, steps, B, D)
        if self.conditional:
            terms = terms + self.conditional * maximum_mean_discrepancy(ours, theirs, self.scales)
        if self.unconditional:
            anywhere = training.data.windows(self.batch, 1, training.draws)[:, None, :, 0]
            terms = terms + self.unconditional * maximum_mean_discrepancy(ours, anywhere, self.scales)
        return (weights * terms).sum(dim=1) / weights.sum()

    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        """As long as this update's run, or its last step alone."""
        return ForcingScheme(1 if self.pushforward else self.rollout(training))

    def _run(self, model: Forecaster, windows: Tensor, steps: int) -> Tensor:
        """Predictions of all steps, or of the last alone where no gradient passes the others."""
        state = model.initial_state(windows[:, :, 0])
        if not self.pushforward or steps == 1:
            return model.predict(state, steps)[0]
        with torch.no_grad():
            state = model.predict(state, steps - 1)[1]
        return model.predict(state, 1)[0]
