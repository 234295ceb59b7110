"""The state of training between two updates, and checkpoints to continue from."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import torch
from torch import Generator, Tensor
from torch.optim import Optimizer

from chaosbench.data import Dataset
from chaosbench.models.forecaster import Forecaster
from chaosbench.seeds import seed_generator
from chaosbench.trainers.draws import BulkIntegers

Checkpoint = dict[str, Tensor]
T = TypeVar("T")


@dataclass
class Recording:
    """The inputs of an update that is to be replayed: first collected in an ordinary update, then read by a capture.

    Attributes:
        inputs: tensors at fixed addresses, each with the function that computes its value for an update.
        reads_update: whether the update depends on its number other than through inputs, so that a replay would repeat
            what belongs to the recorded update.
        captures: whether the update is being captured; if not, inputs are being collected.
    """

    inputs: list[tuple[Tensor, Callable[[], Tensor | float]]] = field(default_factory=list)
    reads_update: bool = False
    captures: bool = False
    _read: int = 0

    def capture(self) -> None:
        """Let the following update read the inputs that were collected, in the same order."""
        self.captures, self._read = True, 0

    def next_input(self) -> Tensor:
        """Return the input that the captured update reads next."""
        self._read += 1
        return self.inputs[self._read - 1][0]

    def refresh(self) -> None:
        """Set every input to its value for this update, in the order in which the update reads them."""
        for tensor, value in self.inputs:
            given = value()
            if isinstance(given, Tensor):
                tensor.copy_(given, non_blocking=True)
            else:
                tensor.fill_(given)


@dataclass
class TrainingState:
    """Everything besides the model that changes from update to update.

    Attributes:
        data: the training data.
        total: number of updates in the whole training; trainers read it as `updates`.
        starts: the starts of windows, drawn from one generator per seed.
        draws: one generator per seed, for all other random numbers of the trainer.
        extra_state: the trainer's own tensors; those that require a gradient are trained with the model.
        optimizer: None if the trainer changes the parameters itself.
        norms: the Euclidean norm of each seed's raw gradient in this update, `(K,)`; None before the backward pass.
        recording: set while an update is recorded in order to be replayed.
        trainers: one per seed, where they differ in fields that `TrainerSpec.may_differ` names; empty if all seeds have
            the same.
        reads_total: whether an update has depended on the total number, so that the training cannot be made longer.
    """

    data: Dataset
    total: int
    starts: BulkIntegers
    draws: list[Generator]
    extra_state: dict[str, Tensor] = field(default_factory=dict)
    optimizer: Optimizer | None = None
    norms: Tensor | None = None
    recording: Recording | None = None
    trainers: Sequence[Any] = ()
    reads_total: bool = False
    _update: int = 0

    @classmethod
    def begin(cls, data: Dataset, updates: int, seeds: Sequence[int]) -> Self:
        """Return the state before the first update, without extra state or optimiser."""
        windows, draws = ([seed_generator(seed, purpose) for seed in seeds] for purpose in ("windows", "training"))
        return cls(data, updates, BulkIntegers(windows), draws)

    @property
    def windows(self) -> list[Generator]:
        """One generator per seed, for its windows."""
        return self.starts.generators

    @property
    def update(self) -> int:
        """1, 2, ..., `updates`; 0 before the first."""
        if self.recording is not None:
            self.recording.reads_update = True
        return self._update

    @update.setter
    def update(self, value: int) -> None:
        self._update = value

    @property
    def updates(self) -> int:
        """The number of updates in the whole training."""
        self.reads_total = True
        return self.total

    @property
    def progress(self) -> float:
        """Share of the updates already done, from 0 to just below 1."""
        return (self.update - 1) / self.updates

    @contextmanager
    def recorded_by(self, recording: Recording) -> Iterator[None]:
        """Let the update inside the block take its inputs from a recording."""
        self.recording = recording
        try:
            yield
        finally:
            self.recording = None

    def fixed(self, value: Callable[[], T]) -> T:
        """Return `value()`, which may depend on the number of the update because the trainer's `plan` holds it, too."""
        recording, self.recording = self.recording, None
        result = value()
        self.recording = recording
        return result

    def given(self, value: Callable[[], Tensor]) -> Tensor:
        """Return `value()` on the device of the data; replayed updates compute it anew.

        Whatever an update takes from Python or from a generator must pass through here to be new in every replay.
        """
        return self._input(value, lambda: value().to(self.data.train.device, copy=True))

    def number(self, value: Callable[[], float]) -> Tensor:
        """Return `value()` as a tensor `()` in the precision of the data; replayed updates compute it anew."""
        return self._input(value, lambda: self.data.train.new_full((), value()))

    def part(self, seeds: slice) -> Self:
        """Return the state of some of the seeds, as if they had been trained alone.

        Tensors of the extra state whose leading axis is as long as that of the seeds are those of one seed each.
        """
        count = len(self.draws)
        extra_state = {
            name: value[seeds] if value.dim() and len(value) == count else value
            for name, value in self.extra_state.items()
        }
        return replace(
            self,
            starts=BulkIntegers(self.windows[seeds]),
            draws=self.draws[seeds],
            extra_state=extra_state,
            optimizer=None,
            norms=None if self.norms is None else self.norms[seeds],
            trainers=self.trainers[seeds],
        )

    def differ(self, *fields: str) -> bool:
        """Return whether the trainers of the seeds differ in one of these fields."""
        return any(getattr(one, name) != getattr(self.trainers[0], name) for one in self.trainers for name in fields)

    def numbers(self, value: Callable[[Any], float]) -> Tensor:
        """Return `value(trainer)` for the trainer of each seed, `(K,)`; replayed updates compute it anew."""
        return self.given(lambda: self._of_each_trainer(value))

    def _of_each_trainer(self, value: Callable[[Any], float]) -> Tensor:
        distinct = {id(trainer): trainer for trainer in self.trainers}
        values = {key: value(trainer) for key, trainer in distinct.items()}
        return torch.tensor([values[id(trainer)] for trainer in self.trainers], dtype=self.data.train.dtype)

    def _input(self, value: Callable[[], Tensor | float], tensor: Callable[[], Tensor]) -> Tensor:
        recording = self.recording
        if recording is None:
            return tensor()
        if recording.captures:
            return recording.next_input()
        made = self.fixed(tensor)
        recording.inputs.append((made, value))
        return made

    def uniform(self, *shape: int) -> Tensor:
        """Draw uniform numbers in [0, 1), `(K, *shape)`, each seed's from its own generator."""
        return self._drawn(torch.rand, shape)

    def normal(self, *shape: int) -> Tensor:
        """Draw standard normal numbers, `(K, *shape)`, each seed's from its own generator."""
        return self._drawn(torch.randn, shape)

    def _drawn(self, draw: Callable[..., Tensor], shape: tuple[int, ...]) -> Tensor:
        dtype = self.data.train.dtype
        return self.given(lambda: torch.stack([draw(*shape, generator=one) for one in self.draws]).to(dtype))


def checkpoint(model: Forecaster, training: TrainingState) -> Checkpoint:
    """Copy model and training, gradients included, into named tensors; call it between backward pass and step."""
    tensors = {"update": torch.tensor(training.update), "reads_total": torch.tensor(training.reads_total)}
    for name, generators in _generators(training).items():
        tensors[name] = torch.stack([generator.get_state() for generator in generators])
    tensors |= {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"extra_state.{name}": value for name, value in training.extra_state.items()}
    for name, parameter in trained_tensors(model, training).items():
        if parameter.grad is not None:
            tensors[f"gradient.{name}"] = parameter.grad
        if training.optimizer is not None:
            state = training.optimizer.state[parameter]
            tensors |= {f"optimizer.{name}.{key}": value for key, value in state.items()}
    return {name: value.detach().clone() for name, value in tensors.items()}


def restore(model: Forecaster, training: TrainingState, saved: Checkpoint) -> None:
    """Set model and training to a checkpoint of the same trainer, model and seeds."""
    training.update = int(saved["update"])
    training.reads_total = bool(saved.get("reads_total", False))
    for name, generators in _generators(training).items():
        for generator, state in zip(generators, saved[name], strict=True):
            generator.set_state(state.cpu().clone())  # a view would crash torch
    model.load_state_dict(_below("model.", saved))
    for name, value in _below("extra_state.", saved).items():
        if name in training.extra_state and training.extra_state[name].requires_grad:
            training.extra_state[name].data.copy_(value)
        else:
            training.extra_state[name] = value.clone()
    for name, parameter in trained_tensors(model, training).items():
        gradient = saved.get(f"gradient.{name}")
        parameter.grad = None if gradient is None else gradient.clone()
        if training.optimizer is not None:
            state = _below(f"optimizer.{name}.", saved)
            training.optimizer.state[parameter] = {key: value.clone() for key, value in state.items()}


def _generators(training: TrainingState) -> dict[str, list[Generator]]:
    return {"windows": training.windows, "draws": training.draws}


def trained_tensors(model: Forecaster, training: TrainingState) -> dict[str, Tensor]:
    """Return all tensors that the optimiser changes, by name."""
    trained: dict[str, Tensor] = {f"model.{name}": value for name, value in model.named_parameters()}
    return trained | {
        f"extra_state.{name}": value for name, value in training.extra_state.items() if value.requires_grad
    }


def _below(prefix: str, saved: Checkpoint) -> Checkpoint:
    """Return the tensors whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in saved.items() if name.startswith(prefix)}
