"""The contract of a diagnostic: from a training step to one number per seed."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.spec import Spec
from chaosbench.trainers.base import TrainingStep


class DiagnosticSpec(Spec, ABC):
    """A number that is watched during training: at the first, at every `every`-th and at the last update."""

    unit: ClassVar[str]
    every: int = Field(50, ge=1)  # [updates]

    @abstractmethod
    def measure(self, step: TrainingStep) -> Tensor:
        """Return one number per seed, `(K,)`.

        The gradients of the model are those before clipping; they must not be changed.
        """

    def due(self, step: TrainingStep) -> bool:
        """Return True if this update is to be measured."""
        return step.update % self.every == 0 or step.update in (1, step.updates)


def starting_states(step: TrainingStep, count: int) -> Tensor:
    """Return model states set from training data, evenly spread over orbits and time, `(K, count, S)`."""
    observations = step.data.train.flatten(0, 1)
    indices = torch.linspace(0, len(observations) - 1, count, dtype=torch.float64).long()
    return step.model.initial_state(observations[indices].expand(step.model.seeds, -1, -1).contiguous())
