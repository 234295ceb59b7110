"""The contract of a diagnostic: a training step in, one number per seed out."""

from abc import ABC, abstractmethod
from typing import ClassVar

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
