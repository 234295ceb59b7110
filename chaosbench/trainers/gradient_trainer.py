"""Stochastic gradient descent on a loss of windows: optimiser, learning rate, clipping and penalties."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import torch
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from torch import Tensor
from typing_extensions import override

from chaosbench.data import Dataset, DataSpec
from chaosbench.errors import DataError
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.piecewise_linear import PiecewiseLinearNetwork
from chaosbench.source import Source
from chaosbench.systems.base import SystemSpec
from chaosbench.trainers import early_stopping
from chaosbench.trainers.base import WindowTrainer, observed_dimension, squared_error
from chaosbench.trainers.descent import (
    OptimizerKind,
    Schedule,
    build_optimizer,
    clip_gradients,
    clip_values,
    descend,
    forget_gradients,
    scheduled_rate,
)
from chaosbench.trainers.regularisers import conditioning_penalty, linear_readout, manifold_attractor_penalty
from chaosbench.trainers.training_state import TrainingState

RATES = frozenset({"learning_rate", "final_learning_rate", "clip_norm"})  # may differ: they do not enter the loss


class GradientTrainer(WindowTrainer):
    """Stochastic gradient descent on a loss of windows.

    Defaults follow Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, where the paper states them; the milestones of
    `"multi_step"` follow Brenner et al. 2022, ICML, who divide the learning rate by ten at each.
    """

    optimizer: OptimizerKind = "adam"
    learning_rate: float = Field(1e-3, gt=0)  # of the optimiser, at the start
    final_learning_rate: float | None = Field(None, gt=0)  # reached by the schedule; None: constant
    schedule: Schedule = "exponential"  # of the learning rate, where it has a final value
    milestones: tuple[float, ...] = Field((0.1, 0.8, 0.9), min_length=1)  # of "multi_step" [shares of the updates]
    weight_decay: float = Field(0.01, ge=0)  # of "adamw"
    clip_norm: float | None = Field(None, gt=0)  # largest gradient norm of a seed; None: not clipped
    clip_value: float | None = Field(None, gt=0)  # largest entry of a gradient; None: not clipped
    manifold_attractor: float = Field(0.0, ge=0)  # weight of the penalty that makes states of a PLRNN slow
    manifold_share: float = Field(1.0, gt=0, le=1)  # share of the states that the penalty acts on
    conditioning: float = Field(0.0, ge=0)  # weight of the penalty on an ill-conditioned observation matrix
    patience: int | None = Field(None, ge=1)  # validations without a smaller error before a seed stops; None: never
    validate_every: int = Field(100, ge=1)  # [updates] between two validations, where `patience` is set

    @abstractmethod
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Return the loss of each seed, `(K, B, W + T + 1, D) -> (K,)`; `self.split` separates the warm-up."""

    def parts(self, windows: Tensor) -> Sequence[Tensor]:
        """Split the windows `(K, B, W + T + 1, D)` into parts `(K, ., ., D)` to backpropagate one after the other.

        The loss must be the mean of the parts' losses, weighted by their numbers of windows. By default there is one.
        """
        return [windows]

    @override
    def start(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> TrainingState:
        training = super().start(model, data, seeds)
        if self.patience is not None:
            training.extra_state |= early_stopping.begin(model)
        trained = [*model.parameters(), *(value for value in training.extra_state.values() if value.requires_grad)]
        training.optimizer = build_optimizer(
            self.optimizer, trained, learning_rate=self.learning_rate, weight_decay=self.weight_decay
        )
        return training

    @override
    def gradient(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        assert training.optimizer is not None
        forget_gradients(training.optimizer)
        parts = self.parts(windows)
        count, losses = sum(part.shape[1] for part in parts), list[Tensor]()
        for part in parts:
            loss = self.loss(model, part, training)
            if len(parts) > 1:
                loss = loss * (part.shape[1] / count)
            if not losses:
                loss = self._penalised(loss, model)
            loss.sum().backward()
            losses.append(loss.detach())
        return torch.stack(losses).sum(dim=0) if len(losses) > 1 else losses[0]

    @override
    def advance(self, model: Forecaster, training: TrainingState) -> None:
        if self.clip_value is not None:
            clip_values(model, self.clip_value)
        limit = self._largest_norm(training)
        if limit is not None:
            clip_gradients(model, limit, norms=training.norms if self.clip_value is None else None)
        assert training.optimizer is not None
        descend(training.optimizer, self._learning_rate(training))

    @override
    def stops(self, model: Forecaster, training: TrainingState) -> bool:
        """Return True if no seed's error on validation data has become smaller for `patience` validations."""
        if self.patience is None or training.update % self.validate_every:
            return False
        return early_stopping.validate(model, training, patience=self.patience, update=training.update)

    @override
    def finish(self, model: Forecaster, training: TrainingState) -> None:
        if self.patience is not None:
            early_stopping.restore_best(model, training)

    @override
    def check(self, data: Dataset) -> None:
        super().check(data)
        if self.patience is not None and (not len(data.validation) or data.validation.shape[1] < 2):
            raise DataError(f"patience = {self.patience} needs validation data, and {data.system.label} has none")

    @override
    def not_replayed(self, training: TrainingState) -> str | None:
        if self.conditioning:
            return "the penalty `conditioning` waits for the singular values of the observation matrix"
        return super().not_replayed(training)

    def _largest_norm(self, training: TrainingState) -> float | Tensor | None:
        """Return the largest norm of a gradient, or one per seed, `(K,)`; None if none is clipped."""
        if not training.differ("clip_norm"):
            return self.clip_norm
        return training.numbers(lambda one: torch.inf if one.clip_norm is None else one.clip_norm)

    def _learning_rate(self, training: TrainingState) -> float | Tensor:
        """Return this update's learning rate, or one per seed, `(K,)`."""
        if training.differ("learning_rate", "final_learning_rate"):
            return training.numbers(lambda one: one.learning_rate_at(training.progress))
        if training.recording is None:
            return self.learning_rate_at(self._progress(training))
        return training.number(lambda: self.learning_rate_at(self._progress(training)))

    def _progress(self, training: TrainingState) -> float:
        """Return the progress for the schedule; a constant rate does not depend on the number of updates."""
        return 0.0 if self.final_learning_rate is None else training.progress

    def learning_rate_at(self, progress: float) -> float:
        """Return the learning rate after the share `progress` of the updates."""
        if self.final_learning_rate is None:
            return self.learning_rate
        start, end = self.learning_rate, self.final_learning_rate
        return scheduled_rate(self.schedule, progress, start=start, end=end, milestones=self.milestones)

    @override
    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """Check also that there are validation data, and that the model has the weights that the penalties act on."""
        if self.patience is not None and isinstance(system, SystemSpec) and not data.validation_orbits:
            return f"patience = {self.patience} needs validation data, and data.validation_orbits is 0"
        if self.manifold_attractor or self.conditioning:
            built = build_single(model, system, data)
            if self.manifold_attractor and not isinstance(built, PiecewiseLinearNetwork):
                return f"manifold_attractor penalises networks of the PLRNN family, and {model.label} is not one"
            if self.conditioning and linear_readout(built) is None:
                return f"conditioning penalises an observation matrix, and {model.label} has none"
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

    @model_serializer(mode="wrap")
    def _without_early_stopping(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the fields of early stopping where there is none: older results keep their identity."""
        content: dict[str, Any] = serialize(self)
        if self.patience is None:
            content = {name: value for name, value in content.items() if name not in ("patience", "validate_every")}
        return content

    @model_validator(mode="after")
    def _a_schedule_has_an_end(self) -> Self:
        if self.schedule != "exponential" and self.final_learning_rate is None:
            raise ValueError(f"schedule = {self.schedule!r} needs a final_learning_rate to end at")
        return self


class UnrollTrainer(GradientTrainer):
    """Gradient descent on the mean squared error of one unroll; subclasses differ in how they unroll the model."""

    @abstractmethod
    def predict(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Predict the last T observations, `(K, B, W + T + 1, D) -> (K, B, T, D)`."""

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        return squared_error(self.predict(model, windows, training), self.split(windows)[1])


def build_single(model: ModelSpec, system: Source, data: DataSpec) -> Forecaster:
    """Build one seed of the model for these data, to inspect its parts."""
    return model.build(observed_dimension(system, data), (0,))
