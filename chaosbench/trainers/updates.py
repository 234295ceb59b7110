"""The two halves of an update, computed by ordinary calls, or on a GPU by replaying what was recorded once.

A small network needs some hundred kernels an update, and launching them one by one takes far longer than they run. A
CUDA graph launches all of them at once. It repeats the same kernels at the same addresses, so that everything that
changes from update to update must lie in tensors at fixed addresses (`TrainingState.given`, `TrainingState.number`,
`extra_state`) or lead to another graph (`WindowTrainer.plan`).
"""

import logging
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar, cast

import torch
from torch import Tensor
from typing_extensions import override

from chaosbench.dynamics import CudaRecorder, Recorder
from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.descent import gradient_norms
from chaosbench.trainers.training_state import Recording, TrainingState, trained_tensors

T = TypeVar("T")

_LOGGER = logging.getLogger(__name__)


class Trains(Protocol):
    """The methods of a trainer that make an update."""

    @property
    def label(self) -> str:
        """The trainer's name in messages."""

    def plan(self, training: TrainingState) -> Hashable:
        """Return the Python values that this update's computation depends on."""

    def not_replayed(self, training: TrainingState) -> str | None:
        """Return why this update cannot be replayed; None if it can."""

    def windows(self, training: TrainingState) -> Tensor:
        """Draw the windows of this update."""

    def gradient(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Store raw gradients in the parameters and return the loss of each seed."""

    def advance(self, model: Forecaster, training: TrainingState) -> None:
        """Change the parameters by one step along the stored gradients."""


class NotRecordedError(RuntimeError):
    """A function cannot be recorded; it has done nothing."""


def recorder_for(device: torch.device) -> Recorder | None:
    """Return what records updates on this device; None where ordinary calls are as fast."""
    return CudaRecorder(device, large=True) if device.type == "cuda" else None


class Updates:
    """The two halves of an update, by ordinary calls."""

    def __init__(self, trainer: Trains, model: Forecaster, training: TrainingState) -> None:
        self._trainer, self._model, self._training = trainer, model, training

    def gradient(self) -> Tensor:
        """Store raw gradients in the parameters, and return each seed's loss and norm of the gradient, `(2, K)`."""
        windows = self._trainer.windows(self._training)
        with _training_mode(self._model):
            loss = self._trainer.gradient(self._model, windows, self._training)
        self._training.norms = gradient_norms(self._model)
        return torch.stack([loss, self._training.norms])

    def advance(self) -> None:
        """Change the parameters by one step along the stored gradients."""
        self._trainer.advance(self._model, self._training)


@contextmanager
def _training_mode(model: Forecaster) -> Iterator[None]:
    """Let layers such as dropout act as in training, which they do nowhere else."""
    model.train()
    try:
        yield
    finally:
        model.eval()


def updates_of(trainer: Trains, model: Forecaster, training: TrainingState) -> Updates:
    """Return the way to compute updates on the device of the data."""
    recorder = recorder_for(training.data.train.device)
    if recorder is None:
        return Updates(trainer, model, training)
    return ReplayedUpdates(trainer, model, training, recorder)


class ReplayedUpdates(Updates):
    """The two halves of an update, replayed where they have been recorded; by ordinary calls where they cannot be.

    The first update of each plan is an ordinary one, in which the inputs are collected. The second is recorded, and it
    and all later ones are replayed.
    """

    def __init__(self, trainer: Trains, model: Forecaster, training: TrainingState, recorder: Recorder) -> None:
        super().__init__(trainer, model, training)
        self._recorder = recorder
        self._plans: dict[Hashable, tuple[_Half, _Half]] = {}
        self._current: tuple[_Half, _Half] | None = None
        self._reasons = set[str]()
        self._given_up = False

    @override
    def gradient(self) -> Tensor:
        self._current = self._halves()
        both = self._by_half(0, self._gradient_in_place)
        self._training.norms = both[1]  # at a fixed address, where the other half of the update reads them
        return both.clone()  # the next replay overwrites them

    @override
    def advance(self) -> None:
        self._by_half(1, super().advance)

    def _halves(self) -> "tuple[_Half, _Half] | None":
        """Return the halves of updates with the plan of this one; None if it cannot be replayed."""
        reason = self._trainer.not_replayed(self._training)
        if reason is not None:
            self._report(reason)
        if self._given_up or reason is not None:
            return None
        plan = self._trainer.plan(self._training)
        if plan not in self._plans:
            trained = list(trained_tensors(self._model, self._training).values())
            halves = [_Half(self._training, self._recorder, trained) for _ in range(2)]
            self._plans[plan] = halves[0], halves[1]
        return self._plans[plan]

    def _by_half(self, index: int, function: Callable[[], T]) -> T:
        """Call the function by the half of the update that it is, or by an ordinary call if it cannot be recorded.

        Ordinary calls run on the stream of the recordings, too, where the gradients of the parameters are.
        """
        if self._current is None:
            return self._recorder.rehearse(function)
        try:
            result = self._current[index].call(function)
        except NotRecordedError as error:
            self._give_up(str(error).splitlines()[0])
            return self._recorder.rehearse(function)
        if self._current[index].reads_update:
            self._give_up("its updates depend on their number in a way that its `plan` does not hold")
        return result

    def _gradient_in_place(self) -> Tensor:
        """Compute the first half of an update, and leave the trainer's own tensors at their addresses."""
        before = dict(self._training.extra_state)
        both = super().gradient()
        for name, value in self._training.extra_state.items():
            old = before.get(name, value)
            if old is not value and (old.shape, old.dtype, old.device) == (value.shape, value.dtype, value.device):
                self._training.extra_state[name] = old.copy_(value)
        return both

    def _give_up(self, reason: str) -> None:
        self._given_up, self._current = True, None
        self._report(reason)

    def _report(self, reason: str) -> None:
        if reason not in self._reasons:
            self._reasons.add(reason)
            device = self._training.data.train.device
            _LOGGER.warning("%s trains on %s without a CUDA graph: %s", self._trainer.label, device, reason)


class _Half:
    """One half of all updates with the same plan.

    Args:
        trained: the tensors whose gradients the function computes or uses.
    """

    def __init__(self, training: TrainingState, recorder: Recorder, trained: list[Tensor]) -> None:
        self._training, self._recorder, self._trained = training, recorder, trained
        self._inputs: Recording | None = None
        self._replay: Callable[[], None] | None = None
        self._result: object = None
        self._gradients: list[Tensor | None] = []

    @property
    def reads_update(self) -> bool:
        """True if the function read the number of the update."""
        return self._inputs is not None and self._inputs.reads_update

    def call(self, function: Callable[[], T]) -> T:
        """Call the function and collect its inputs, or record it, or replay it."""
        if self._inputs is None:
            self._inputs = Recording()
            with self._training.recorded_by(self._inputs):
                return self._recorder.rehearse(function)
        if self._replay is None:
            self._inputs.capture()
            try:
                with self._training.recorded_by(self._inputs):
                    self._result, self._replay = self._recorder.record(function)
            except RuntimeError as error:  # torch raises nothing more special for what cannot be recorded
                raise NotRecordedError(str(error)) from error
            self._gradients = [tensor.grad for tensor in self._trained]
        self._inputs.refresh()
        for tensor, gradient in zip(self._trained, self._gradients, strict=True):
            tensor.grad = gradient
        self._replay()
        return cast("T", self._result)
