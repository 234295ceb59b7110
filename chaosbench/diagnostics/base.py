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


def starting_states(step: TrainingStep, count: int, *, context: int) -> Tensor:
    """Return model states set from training data, evenly spread over orbits and time, `(K, count, S)`.

    Args:
        context: observations of the history that leads to each state; at most half a training orbit is used [steps].
    """
    context = min(context, (step.data.train.shape[1] + 1) // 2)
    histories = step.data.train.unfold(1, context, 1)  # (N, starts, D, H)
    starts = histories.shape[1]
    indices = torch.linspace(0, len(histories) * starts - 1, count, dtype=torch.float64).long()
    chosen = histories[indices // starts, indices % starts].mT
    return step.model.initial_state(chosen.expand(step.model.seeds, -1, -1, -1).contiguous())
