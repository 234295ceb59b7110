"""The contract of a diagnostic: a training step in, one number per seed out."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.spec import Spec
from chaosbench.trainers.base import TrainingStep


class DiagnosticSpec(Spec, ABC):
    """Something watched during training, at every `every`-th update and at the last."""

    unit: ClassVar[str]
    every: int = Field(50, ge=1)  # [updates]

    @abstractmethod
    def measure(self, step: TrainingStep) -> Tensor:
        """One number per seed, `(K,)`; the model's gradients are those before clipping, and must stay as they are."""

    def due(self, step: TrainingStep) -> bool:
        """Whether this update is measured."""
        return step.update % self.every == 0 or step.update in (1, step.updates)


def starting_states(step: TrainingStep, count: int) -> Tensor:
    """States that show the training data, evenly spread over orbits and time, `(K, count, S)`."""
    observations = step.data.train.flatten(0, 1)
    places = torch.linspace(0, len(observations) - 1, count, dtype=torch.float64).long()
    return step.model.initial_state(observations[places].expand(step.model.seeds, -1, -1).contiguous())
