"""Conformance check of a diagnostic: it measures a number per seed and does not change the training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.shallow_plrnn import ShallowPLRNN
from chaosbench.systems.lorenz63 import Lorenz63
from chaosbench.testing.assertions import (
    assert_agree,
    assert_identical,
    check_spec_round_trip,
    global_random_state_unused,
    require,
)
from chaosbench.testing.model import SEEDS, spoil
from chaosbench.trainers.base import TrainingStep
from chaosbench.trainers.sparse_teacher_forcing import SparseTeacherForcing

_UPDATES, _EVERY = 5, 2  # measured at updates 1, 2, 4 and 5
_COMPANY = 1e-6  # rounding in double precision, along the steps that a diagnostic may follow


def check_diagnostic(spec: DiagnosticSpec, *, model: ModelSpec | None = None) -> None:
    """Check a diagnostic in a short training on Lorenz-63, on the CPU.

    Args:
        model: what is trained while the diagnostic watches; by default a small shallow PLRNN.

    Raises:
        AssertionError: naming the broken promise, by how much it is broken, and how to keep it.
    """
    check_spec_round_trip(spec)
    unit = getattr(spec, "unit", None)
    require(bool(unit) and isinstance(unit, str), f"{spec.label}: `unit` must be a text, '1' for a pure number")
    data = simulate(Lorenz63(), DataSpec(train_orbits=4, train_length=500, validation_orbits=2, test_length=2))
    case = _Case(spec.replaced(every=_EVERY), model or ShallowPLRNN(hidden=12), data)
    _check_updates(case)
    _check_training(case)
    _check_repetition(case)
    _check_neighbours(case)


@dataclass(frozen=True)
class _Case:
    """A diagnostic under test, with a model and data to train on."""

    diagnostic: DiagnosticSpec
    model: ModelSpec
    data: Dataset

    @property
    def name(self) -> str:
        return self.diagnostic.label

    def build(self, dtype: torch.dtype, seeds: Sequence[int] = SEEDS) -> Forecaster:
        return self.model.build(self.data.dimension, seeds).to(dtype)

    def steps(self, model: Forecaster, seeds: Sequence[int] = SEEDS) -> Iterator[TrainingStep]:
        """Train a model for a few updates."""
        trainer = SparseTeacherForcing(updates=_UPDATES, batch=4, sequence_length=20, interval=5)
        return trainer.fit(model, self.data.to("cpu", next(model.parameters()).dtype), seeds)


def _check_updates(case: _Case) -> None:
    """Check that the first, every `every`-th and the last update are due."""
    data, model = case.data, case.build(torch.float32)
    steps = (TrainingStep(update, _UPDATES, torch.zeros(len(SEEDS)), model, data) for update in range(1, _UPDATES + 1))
    due = [step.update for step in steps if case.diagnostic.due(step)]
    expected = sorted({1, *range(_EVERY, _UPDATES + 1, _EVERY), _UPDATES})
    promise = f"{case.name}: of {_UPDATES} updates, {expected} must be due"
    require(due == expected, f"{promise}; {due} are; leave `due` out, and use `every` for the interval")


def _check_training(case: _Case) -> None:
    """Check every measurement, and that training which is watched equals training which is not, to the last bit."""
    plain, watched = case.build(torch.float32), case.build(torch.float32)
    advice = "work on copies, and do not call backward() or a method that changes the model"
    for unwatched, step in zip(case.steps(plain), case.steps(watched), strict=True):
        assert_identical(step.loss, unwatched.loss, f"{case.name}: the losses of training must not change", advice)
        if case.diagnostic.due(step):
            before = _copy(step.model)
            with global_random_state_unused(case.name):
                values = case.diagnostic.measure(step)
            after = _copy(step.model)
            for name, value in before.items():
                promise = f"{case.name}: measuring must change neither weights nor gradients, but {name} changes"
                assert_identical(after.get(name, torch.empty(0)), value, promise, advice)
            _check_values(case, values)
    for name, value in watched.state_dict().items():
        promise = f"{case.name}: training must end in the same weights with and without it, but {name!r} differs"
        assert_identical(value, plain.state_dict()[name], promise, advice)


def _check_values(case: _Case, values: Tensor) -> None:
    shape = tuple(values.shape)
    require(
        shape == (len(SEEDS),), f"{case.name}: measure must return {(len(SEEDS),)}, one number per seed; it is {shape}"
    )
    kind = values.dtype
    require(kind.is_floating_point, f"{case.name}: measure must return floating-point numbers; they are {kind}")
    infinite = int(values.isinf().sum())
    promise = f"{case.name}: measure must return finite numbers, or NaN where there is none"
    require(infinite == 0, f"{promise}; {infinite} of {len(values)} are infinite")


def _first(case: _Case, seeds: Sequence[int]) -> TrainingStep:
    """Return the first update of a training in double precision."""
    return next(case.steps(case.build(torch.float64, seeds), seeds))


def _check_repetition(case: _Case) -> None:
    """Check that equal steps give equal numbers, and that a seed has the same number alone and beside others."""
    joint = case.diagnostic.measure(_first(case, SEEDS)).detach()
    torch.randn(1)  # torch's global random state must not matter
    again = case.diagnostic.measure(_first(case, SEEDS)).detach()
    promise = f"{case.name}: equal updates must give equal numbers"
    assert_identical(again.nan_to_num(), joint.nan_to_num(), promise, "keep no state, and draw from fixed generators")
    for index, seed in enumerate(SEEDS):
        own = case.diagnostic.measure(_first(case, (seed,))).detach()
        promise = f"{case.name}: a seed must have the same number alone and beside others"
        advice = "reduce over all axes but the first, which is that of the seeds"
        assert_agree(joint[index : index + 1].nan_to_num(), own.nan_to_num(), promise, _COMPANY, advice)


def _check_neighbours(case: _Case) -> None:
    """Check that a diverged seed raises nothing and changes no number of the others."""
    step = _first(case, SEEDS)
    healthy = case.diagnostic.measure(step).detach().clone()
    spoil(step.model, 1)
    for parameter in step.model.parameters():
        if parameter.grad is not None:
            parameter.grad[1] = torch.nan
    lost = torch.where(torch.arange(len(SEEDS)) == 1, torch.nan, step.loss)
    norms = None if step.norms is None else torch.where(torch.arange(len(SEEDS)) == 1, torch.nan, step.norms)
    others = case.diagnostic.measure(replace(step, loss=lost, norms=norms)).detach()
    promise = f"{case.name}: a diverged seed must not change the numbers of the others"
    after, before = (values[[0, 2]].nan_to_num() for values in (others, healthy))
    assert_agree(after, before, promise, _COMPANY, "reduce over all axes but the first, which is that of the seeds")


def _copy(model: Forecaster) -> dict[str, Tensor]:
    """Return copies of all weights, buffers and gradients, by name."""
    gradients = {f"the gradient of {name!r}": p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {name: value.detach().clone() for name, value in (model.state_dict() | gradients).items()}
