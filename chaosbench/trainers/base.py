"""The contract of a trainer, and the loop that gradient trainers share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.models.base import Forecaster, seed_generator
from chaosbench.spec import Spec


@dataclass(frozen=True)
class TrainingStep:
    """One update of K seeds, seen between the backward pass and clipping.

    Attributes:
        update: 1, 2, ..., `updates`.
        loss: `(K,)`, detached, on the device.
        model: its parameters carry the raw gradients.
    """

    update: int
    updates: int
    loss: Tensor
    model: Forecaster
    data: Dataset

    def gradient_norms(self) -> Tensor:
        """Euclidean norm of each seed's gradient, `(K,)`."""
        return gradient_norms(self.model)


class TrainerSpec(Spec, ABC):
    """A way to train K models at once."""

    @abstractmethod
    def fit(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> Iterator[TrainingStep]:
        """Train in place; yields once per update, after the backward pass and before clipping."""

    def check(self, data: Dataset) -> None:
        """Refuse data that this trainer cannot work with, before anything is trained."""


class GradientTrainer(TrainerSpec):
    """Stochastic gradient descent on windows of the training orbits.

    Defaults follow Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, where they state one.
    """

    updates: int = Field(30_000, ge=1)
    batch: int = Field(32, ge=1)  # B, windows per update
    sequence_length: int = Field(200, ge=1)  # T [steps]
    optimizer: Literal["adam", "adamw", "radam"] = "adam"
    learning_rate: float = Field(1e-3, gt=0)
    final_learning_rate: float | None = Field(None, gt=0)  # reached exponentially; None: constant
    clip_norm: float | None = Field(None, gt=0)  # largest gradient norm of a seed; None: not clipped

    @abstractmethod
    def loss(self, model: Forecaster, windows: Tensor, data: Dataset) -> Tensor:
        """Mean squared error of each seed, `(K, B, T + 1, D) -> (K,)`."""

    def check(self, data: Dataset) -> None:
        """Windows must fit into the training orbits."""
        data.windows(1, self.sequence_length, [seed_generator(0, "check")])

    def fit(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> Iterator[TrainingStep]:
        """See `TrainerSpec.fit`; a seed whose numbers blow up goes on alone with NaN."""
        generators = [seed_generator(seed, "windows") for seed in seeds]
        optimizer, decay = self._optimizer(model)
        for update in range(1, self.updates + 1):
            windows = data.windows(self.batch, self.sequence_length, generators)
            loss = self.loss(model, windows, data)
            optimizer.zero_grad(set_to_none=True)
            loss.sum().backward()
            yield TrainingStep(update, self.updates, loss.detach(), model, data)
            if self.clip_norm is not None:
                clip_gradients(model, self.clip_norm)
            optimizer.step()
            for group in optimizer.param_groups:
                group["lr"] *= decay

    def _optimizer(self, model: Forecaster) -> tuple[torch.optim.Optimizer, float]:
        """The optimizer, and the factor on its learning rate from one update to the next."""
        decay = (
            (self.final_learning_rate / self.learning_rate) ** (1 / self.updates) if self.final_learning_rate else 1.0
        )
        parameters = list(model.parameters())
        if self.optimizer == "radam":
            return torch.optim.RAdam(parameters, self.learning_rate), decay
        if self.optimizer == "adamw":
            return torch.optim.AdamW(parameters, self.learning_rate, fused=True), decay
        return torch.optim.Adam(parameters, self.learning_rate, fused=True), decay


def gradient_norms(model: Forecaster) -> Tensor:
    """Euclidean norm of each seed's gradient, `(K,)`; parameters without a gradient count as zero."""
    squares = [p.grad.flatten(1).square().sum(dim=1) for p in model.parameters() if p.grad is not None]
    return torch.stack(squares).sum(dim=0).sqrt()


def clip_gradients(model: Forecaster, limit: float) -> None:
    """Scale each seed's gradient down to the norm `limit` where it is longer.

    Source:
        Pascanu, Mikolov and Bengio 2013, ICML, algorithm 1.
    """
    scale = (limit / gradient_norms(model)).clamp(max=1.0)
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.mul_(scale.view(-1, *[1] * (parameter.grad.dim() - 1)))


def squared_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean over all but the leading axis, `(K, ...), (K, ...) -> (K,)`."""
    return (predicted - target).square().flatten(1).mean(dim=1)
