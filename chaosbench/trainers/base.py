"""The interface of a trainer, and the loop shared by trainers that sample windows of data."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import Field, model_validator
from torch import Tensor
from typing_extensions import override

from chaosbench.data import Dataset, DataSpec
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.seeds import seed_generator
from chaosbench.source import Source
from chaosbench.spec import Spec
from chaosbench.systems.base import SystemSpec
from chaosbench.trainers.descent import gradient_norms
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.training_state import Checkpoint, TrainingState, checkpoint, restore
from chaosbench.trainers.updates import updates_of


@dataclass(frozen=True)
class TrainingStep:
    """One update of K seeds, as seen between the backward pass and clipping.

    Attributes:
        update: 1, 2, ..., `updates`.
        loss: `(K,)`, detached, on the device of the model.
        model: its parameters hold the raw gradients.
        training: the trainer's own state; None if the trainer does not support checkpoints.
        norms: the Euclidean norm of each seed's gradient, `(K,)`; None if the trainer does not compute it.
    """

    update: int
    updates: int
    loss: Tensor
    model: Forecaster
    data: Dataset
    training: TrainingState | None = None
    norms: Tensor | None = None

    def gradient_norms(self) -> Tensor:
        """Return the Euclidean norm of each seed's gradient, `(K,)`."""
        return gradient_norms(self.model) if self.norms is None else self.norms

    def checkpoint(self) -> Checkpoint:
        """Return everything that `fit` needs to continue from here as if it had never stopped."""
        assert self.training is not None, "this trainer does not support checkpoints"
        return checkpoint(self.model, self.training)


class TrainerSpec(Spec, ABC):
    """A method that trains K models at once.

    Attributes:
        learning: how the trainer sets the parameters; it accepts only models with the same `learning`.
    """

    learning: ClassVar[str] = "gradients"

    @abstractmethod
    def fit(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> Iterator[TrainingStep]:
        """Train the model in place; yield once per update, after the backward pass and before clipping.

        A trainer without gradients yields once, at the end. One with a `may_differ` takes the argument `trainers`, too:
        one per seed, which differ from this trainer in those fields only.
        """

    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        """Return the fields in which the trainers of one batch of seeds may differ; by default none.

        Experiments that differ in these fields alone can be trained as one batch. A subclass does not inherit this,
        because it may read the fields in another way: it must define the method again (see `fields_that_may_differ`).

        Args:
            model: leave out fields that this model trains more slowly in one batch than one after the other; None:
                leave out none.
        """
        return frozenset()

    def forcing_scheme(self, training: TrainingState) -> ForcingScheme | None:
        """Return how states are forced and gradients cut at this point; None if no gradient passes through time."""
        return None

    def check(self, data: Dataset) -> None:
        """Raise a `DataError` if the trainer cannot work with the data; called before training."""

    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """Return why this combination cannot work, judged by the specs alone; None if it can."""
        if self.learning != model.learning:
            return f"{self.kind} trains by {self.learning}, but {model.kind} learns by {model.learning}"
        return None


class WindowTrainer(TrainerSpec):
    """A trainer that draws a batch of random windows from the training orbits for every update.

    Attributes:
        no_warm_up: why the trainer cannot warm up the state at the head of its windows; None if it can.
    """

    no_warm_up: ClassVar[str | None] = None
    updates: int = Field(30_000, ge=1)  # steps of the optimiser, each with new windows
    batch: int = Field(32, ge=1)  # B, windows per update
    sequence_length: int = Field(200, ge=1)  # T [steps]
    warm_up: int = Field(0, ge=0)  # W, steps at the head of each window that set the state and do not enter the loss

    @abstractmethod
    def gradient(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Store raw gradients in the parameters and return the loss, detached, `(K, B, W + T + 1, D) -> (K,)`."""

    @abstractmethod
    def advance(self, model: Forecaster, training: TrainingState) -> None:
        """Change the parameters by one step along the stored gradients."""

    def extra_state(self, model: Forecaster, data: Dataset) -> dict[str, Tensor]:
        """Return tensors to be kept between updates; those that require a gradient are trained with the model."""
        return {}

    def window_length(self, training: TrainingState) -> int:
        """Return T for this update's windows, without the warm-up [steps]."""
        return self.sequence_length

    def windows(self, training: TrainingState) -> Tensor:
        """Draw the windows of this update, `(K, B, W + T + 1, D)`."""
        data, length = training.data, self.warm_up + training.fixed(lambda: self.window_length(training))
        count = data.window_count(length)
        return data.windows_at(
            training.given(lambda: training.starts.draw(self.batch, count, data.train.device)), length
        )

    def plan(self, training: TrainingState) -> Hashable:
        """Return all Python values that differ between updates and that this update's computation depends on.

        On a GPU, updates with equal plans are replayed from one recording. A trainer reads such values in its loss by
        `training.fixed`; one that reads the number of the update otherwise is never replayed.
        """
        return self.window_length(training)

    def not_replayed(self, training: TrainingState) -> str | None:
        """Return why this update cannot be recorded on a GPU and replayed, for example because it waits for the device.

        None means that it can be, which is then tried.
        """
        return None

    def split(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Split windows into history and future, `(K, B, W + T + 1, D) -> (K, B, W + 1, D), (K, B, T, D)`.

        `model.initial_state(history)` is the state from which the future is predicted. Gradients pass through it.
        """
        return windows[:, :, : self.warm_up + 1], windows[:, :, self.warm_up + 1 :]

    @override
    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        return ForcingScheme(self.window_length(training), warm_up=self.warm_up)

    def start(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> TrainingState:
        """Return the state of training before the first update."""
        training = TrainingState.begin(data, self.updates, seeds)
        training.extra_state = self.extra_state(model, data)
        return training

    def join(self, training: TrainingState) -> None:
        """Prepare the extra state for `training.trainers`, one per seed, which differ; called after `start`."""

    @override
    def fit(
        self,
        model: Forecaster,
        data: Dataset,
        seeds: Sequence[int],
        checkpoint: Checkpoint | None = None,
        trainers: Sequence[Self] = (),
    ) -> Iterator[TrainingStep]:
        """Train the model in place; yield once per update, after the backward pass and before clipping.

        A seed whose numbers blow up continues with NaN and leaves the others unchanged.

        Args:
            checkpoint: continue from there; the following steps are bitwise those of an uninterrupted training.
            trainers: one per seed, which differ from this one in the fields of `may_differ`; empty: this one for all.
        """
        training = self._started(model, data, seeds, trainers)
        if checkpoint is not None:
            restore(model, training, checkpoint)
            self.advance(model, training)
        updates, done = updates_of(self, model, training), checkpoint is not None and self.stops(model, training)
        while training.update < self.updates and not done:
            training.update += 1
            loss, norms = updates.gradient()
            yield TrainingStep(training.update, self.updates, loss, model, data, training, norms)
            updates.advance()
            done = self.stops(model, training)
        self.finish(model, training)

    def finished(
        self,
        model: Forecaster,
        data: Dataset,
        seeds: Sequence[int],
        checkpoint: Checkpoint,
        trainers: Sequence[Self] = (),
    ) -> TrainingState:
        """Set the model to the end of a training, from its checkpoint at the last update, and return the state."""
        training = self._started(model, data, seeds, trainers)
        restore(model, training, checkpoint)
        self.advance(model, training)
        self.stops(model, training)
        self.finish(model, training)
        return training

    def _started(
        self, model: Forecaster, data: Dataset, seeds: Sequence[int], trainers: Sequence[Self]
    ) -> TrainingState:
        training = self.start(model, data, seeds)
        if trainers:
            training.trainers = trainers
            self.join(training)
        return training

    def stops(self, model: Forecaster, training: TrainingState) -> bool:
        """Return True to end the training after this update; called once after each."""
        return False

    def finish(self, model: Forecaster, training: TrainingState) -> None:
        """Change the model after the last update, for example to the best weights seen; default: leave it."""

    @override
    def check(self, data: Dataset) -> None:
        check_window(data, self.warm_up + self.sequence_length)

    @override
    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        field = "warm_up + sequence_length" if self.warm_up else "sequence_length"
        reason = window_too_long(field, self.warm_up + self.sequence_length, system, data)
        return reason or super().incompatibility(system, data, model)

    @model_validator(mode="after")
    def _the_state_can_be_warmed_up(self) -> Self:
        if self.warm_up and self.no_warm_up:
            raise ValueError(
                f"warm_up = {self.warm_up} has no effect on {self.kind}, since {self.no_warm_up}; set it to 0"
            )
        return self


def fields_that_may_differ(trainer: TrainerSpec, model: Forecaster | None = None) -> frozenset[str]:
    """Return `trainer.may_differ(model)` if the trainer's own class defines it; no field if it is inherited."""
    return trainer.may_differ(model) if "may_differ" in vars(type(trainer)) else frozenset()


def check_window(data: Dataset, steps: int) -> None:
    """Raise a `DataError` if the training orbits are shorter than a window of `steps` steps."""
    data.windows(1, steps, [seed_generator(0, "check")])


def window_too_long(field: str, steps: int, system: Source, data: DataSpec) -> str | None:
    """Return why a window does not fit into simulated orbits; None if it does, or if the source has no equation.

    Args:
        field: what sets the length of the window, for the message.
        steps: that length [steps].
    """
    if not isinstance(system, SystemSpec) or steps < data.train_length:
        return None
    return (
        f"{field} = {steps} does not fit into orbits of data.train_length = {data.train_length} steps; "
        "a window is one step longer"
    )


def observed_dimension(system: Source, data: DataSpec) -> int:
    """Return D, the number of coordinates that a model sees."""
    observables = system.dimension if data.observed is None else len(data.observed)
    return observables * data.embedding


def squared_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error over all but the leading axis, `(K, ...), (K, ...) -> (K,)`."""
    return (predicted - target).square().flatten(1).mean(dim=1)
