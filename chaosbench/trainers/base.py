"""The contract of a trainer, and the loop that trainers on windows share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from typing_extensions import override

from chaosbench.data import Dataset, DataSpec
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.piecewise_linear import PiecewiseLinearNetwork
from chaosbench.seeds import seed_generator
from chaosbench.source import Source
from chaosbench.spec import Spec
from chaosbench.systems.base import SystemSpec
from chaosbench.trainers.descent import (
    OptimizerKind,
    Schedule,
    clip_gradients,
    clip_values,
    gradient_norms,
    optimizer_of,
    scheduled,
)
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.regularisers import conditioning_penalty, linear_readout, manifold_attractor_penalty
from chaosbench.trainers.training_state import Checkpoint, TrainingState, checkpoint, restore


@dataclass(frozen=True)
class TrainingStep:
    """One update of K seeds, seen between the backward pass and clipping.

    Attributes:
        update: 1, 2, ..., `updates`.
        loss: `(K,)`, detached, on the device.
        model: its parameters carry the raw gradients.
        training: where training stands; None for a trainer that cannot be taken up again.
    """

    update: int
    updates: int
    loss: Tensor
    model: Forecaster
    data: Dataset
    training: TrainingState | None = None

    def gradient_norms(self) -> Tensor:
        """Euclidean norm of each seed's gradient, `(K,)`."""
        return gradient_norms(self.model)

    def checkpoint(self) -> Checkpoint:
        """All that `fit` needs to go on from here as if it had never stopped."""
        assert self.training is not None, "this trainer sets nothing down"
        return checkpoint(self.model, self.training)


class TrainerSpec(Spec, ABC):
    """A way to train K models at once.

    Attributes:
        learning: how it finds a model's numbers; it trains models of the same `learning`, and no others.
    """

    learning: ClassVar[str] = "gradients"

    @abstractmethod
    def fit(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> Iterator[TrainingStep]:
        """Train in place; yields once per update, after the backward pass and before clipping.

        A trainer without gradients yields once, when all is done.
        """

    def forcing_scheme(self, training: TrainingState) -> ForcingScheme | None:
        """Through which products of Jacobians gradients pass at this point of training; None where none do."""
        return None

    def check(self, data: Dataset) -> None:
        """Refuse data that this trainer cannot work with, before anything is trained."""

    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """Why this combination cannot work, told from the specs alone; None where it can."""
        if self.learning != model.learning:
            return f"{self.kind} trains by {self.learning}, and {model.kind} learns by {model.learning}"
        return None


class WindowTrainer(TrainerSpec):
    """Training on a batch of random windows of the training orbits per update."""

    updates: int = Field(30_000, ge=1)
    batch: int = Field(32, ge=1)  # B, windows per update
    sequence_length: int = Field(200, ge=1)  # T [steps]

    @abstractmethod
    def gradient(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Leave raw gradients in the parameters; the loss of each seed, `(K, B, T + 1, D) -> (K,)`, detached."""

    @abstractmethod
    def advance(self, model: Forecaster, training: TrainingState) -> None:
        """Make of the gradients a step of the parameters."""

    def extra_state(self, model: Forecaster, data: Dataset) -> dict[str, Tensor]:
        """What the trainer keeps from update to update; entries that require a gradient are trained, too."""
        return {}

    def windows(self, training: TrainingState) -> Tensor:
        """The windows of this update, `(K, B, T + 1, D)`."""
        return training.data.windows(self.batch, self.sequence_length, training.windows)

    @override
    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        return ForcingScheme(self.sequence_length)

    def start(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> TrainingState:
        """Where training stands before the first update."""
        training = TrainingState.begin(data, self.updates, seeds)
        training.extra_state = self.extra_state(model, data)
        return training

    @override
    def fit(
        self, model: Forecaster, data: Dataset, seeds: Sequence[int], checkpoint: Checkpoint | None = None
    ) -> Iterator[TrainingStep]:
        """A seed whose numbers blow up goes on alone with NaN.

        With a checkpoint, from there on: the next step is what it would have been without a stop, to the last bit.
        """
        training = self.start(model, data, seeds)
        if checkpoint is not None:
            restore(model, training, checkpoint)
            self.advance(model, training)
        while training.update < self.updates:
            training.update += 1
            loss = self.gradient(model, self.windows(training), training)
            yield TrainingStep(training.update, self.updates, loss, model, data, training)
            self.advance(model, training)

    def check(self, data: Dataset) -> None:
        """Windows must fit into the training orbits."""
        data.windows(1, self.sequence_length, [seed_generator(0, "check")])

    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """Windows must fit into the training orbits, where the data say how long those are."""
        if isinstance(system, SystemSpec) and self.sequence_length >= data.train_length:
            return (
                f"sequence_length = {self.sequence_length} does not fit into orbits of data.train_length = "
                f"{data.train_length} steps; a window is one step longer"
            )
        return super().incompatibility(system, data, model)


class GradientTrainer(WindowTrainer):
    """Stochastic gradient descent on a loss of windows.

    Defaults follow Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, where they state one; the steps of
    `"multi_step"` follow Brenner et al. 2022, ICML, who divide the learning rate by ten at each.
    """

    optimizer: OptimizerKind = "adam"
    learning_rate: float = Field(1e-3, gt=0)
    final_learning_rate: float | None = Field(None, gt=0)  # reached by the schedule; None: constant
    schedule: Schedule = "exponential"
    milestones: tuple[float, ...] = Field((0.1, 0.8, 0.9), min_length=1)  # of "multi_step", shares of the updates
    weight_decay: float = Field(0.01, ge=0)  # of "adamw"
    clip_norm: float | None = Field(None, gt=0)  # largest gradient norm of a seed; None: not clipped
    clip_value: float | None = Field(None, gt=0)  # largest entry of a gradient; None: not clipped
    manifold_attractor: float = Field(0.0, ge=0)  # weight of the penalty that makes states of a PLRNN slow
    manifold_share: float = Field(1.0, gt=0, le=1)  # of the states that it is on
    conditioning: float = Field(0.0, ge=0)  # weight of the penalty on an ill-conditioned observation matrix

    @abstractmethod
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """The loss of each seed, `(K, B, T + 1, D) -> (K,)`."""

    @override
    def start(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> TrainingState:
        """With an optimizer over the model and what is trained beside it."""
        training = super().start(model, data, seeds)
        trained = [*model.parameters(), *(kept for kept in training.extra_state.values() if kept.requires_grad)]
        training.optimizer = optimizer_of(self.optimizer, trained, rate=self.learning_rate, decay=self.weight_decay)
        return training

    def parts(self, windows: Tensor) -> Sequence[Tensor]:
        """The windows, `(K, B, T + 1, D)`, in parts `(K, ., ., D)` whose graphs need not be in memory together.

        The loss must be the mean of theirs, each as often as it has windows. One part, unless overridden.
        """
        return [windows]

    def gradient(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Backpropagation of the loss and its penalties."""
        assert training.optimizer is not None
        training.optimizer.zero_grad(set_to_none=True)
        parts = self.parts(windows)
        count, losses = sum(part.shape[1] for part in parts), list[Tensor]()
        for part in parts:
            loss = self.loss(model, part, training) * (part.shape[1] / count)
            if not losses:
                loss = self._penalised(loss, model)
            loss.sum().backward()
            losses.append(loss.detach())
        return torch.stack(losses).sum(dim=0)

    def advance(self, model: Forecaster, training: TrainingState) -> None:
        """Clip, and step at this update's learning rate."""
        if self.clip_value is not None:
            clip_values(model, self.clip_value)
        if self.clip_norm is not None:
            clip_gradients(model, self.clip_norm)
        assert training.optimizer is not None
        for group in training.optimizer.param_groups:
            group["lr"] = self.learning_rate_at(training.progress)
        training.optimizer.step()

    def learning_rate_at(self, progress: float) -> float:
        """The learning rate when that share of the updates is done."""
        if self.final_learning_rate is None:
            return self.learning_rate
        start, end = self.learning_rate, self.final_learning_rate
        return scheduled(self.schedule, progress, start=start, end=end, milestones=self.milestones)

    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """Penalties must find the weights that they are on."""
        if self.manifold_attractor or self.conditioning:
            built = built_alone(model, system, data)
            if self.manifold_attractor and not isinstance(built, PiecewiseLinearNetwork):
                return f"manifold_attractor is a penalty on networks of the PLRNN family, and {model.label} is none"
            if self.conditioning and linear_readout(built) is None:
                return f"conditioning is a penalty on an observation matrix, and {model.label} has none"
        return super().incompatibility(system, data, model)

    def _penalised(self, loss: Tensor, model: Forecaster) -> Tensor:
        if self.manifold_attractor:
            assert isinstance(model, PiecewiseLinearNetwork)
            loss = loss + self.manifold_attractor * manifold_attractor_penalty(model, self.manifold_share)
        if self.conditioning:
            readout = linear_readout(model)
            assert readout is not None
            loss = loss + self.conditioning * conditioning_penalty(readout)
        return loss

    @model_validator(mode="after")
    def _a_schedule_leads_somewhere(self) -> Self:
        if self.schedule != "exponential" and self.final_learning_rate is None:
            raise ValueError(f"schedule = {self.schedule!r} needs a final_learning_rate to lead to")
        return self


def built_alone(model: ModelSpec, system: Source, data: DataSpec) -> Forecaster:
    """One seed of the model for what is seen of the system, to ask what it can do."""
    observables = system.dimension if data.observed is None else len(data.observed)
    return model.build(observables * data.embedding, (0,))


def squared_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean over all but the leading axis, `(K, ...), (K, ...) -> (K,)`."""
    return (predicted - target).square().flatten(1).mean(dim=1)
