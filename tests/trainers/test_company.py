"""Trainings that differ in numbers only, trained as one batch, end where each of them ends alone."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Literal

import pytest
import torch
from operation_recorder import OperationRecorder
from torch import Tensor
from torch.testing import assert_close
from typing_extensions import override

from chaosbench import kernels
from chaosbench.data import Dataset
from chaosbench.models import LSTM, RNN, AlmostLinearRNN, ModelSpec, ShallowPLRNN
from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers import (
    BPTT,
    DySLIM,
    GeneralizedTeacherForcing,
    MultipleShooting,
    ScheduledSampling,
    SparseTeacherForcing,
    WindowTrainer,
    updates,
)
from chaosbench.trainers.base import fields_that_may_differ
from chaosbench.trainers.descent import clip_gradients

SMALL: dict[str, Any] = {"updates": 20, "batch": 2, "sequence_length": 11}
SEEDS = [[3, 8], [3], [8, 5]]  # of each of three trainings
ROUNDING = 1e-10  # 1e-16 of each operation, times the growth over 20 updates
FAMILIES = [LSTM(hidden=5), ShallowPLRNN(hidden=6), RNN(hidden=5), AlmostLinearRNN(hidden=6, rectified=2)]


def trained(
    trainer: WindowTrainer, spec: ModelSpec, data: Dataset, seeds: Sequence[int], **options: Any
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Return the weights after training, and losses and gradient norms of all updates, `(K, U)`."""
    model, losses, norms = spec.build(data.dimension, seeds).double(), [], []
    for step in trainer.fit(model, data, seeds, **options):
        losses.append(step.loss)
        norms.append(step.gradient_norms())
    return dict(model.state_dict()), torch.stack(losses, dim=1), torch.stack(norms, dim=1)


def assert_equal_alone_and_together(trainers: Sequence[WindowTrainer], spec: ModelSpec, data: Dataset) -> None:
    fields = fields_that_may_differ(trainers[0])
    assert all(one.replaced(**{name: getattr(trainers[0], name) for name in fields}) == trainers[0] for one in trainers)
    counts = [len(seeds) for seeds in SEEDS]
    each = [trainer for trainer, count in zip(trainers, counts, strict=True) for _ in range(count)]
    weights, *curves = trained(trainers[0], spec, data, [seed for seeds in SEEDS for seed in seeds], trainers=each)
    ends = []
    for index, (trainer, seeds) in enumerate(zip(trainers, SEEDS, strict=True)):
        alone, *alone_curves = trained(trainer, spec, data, seeds)
        for name, value in alone.items():
            assert_close(weights[name].split(counts)[index], value, rtol=ROUNDING, atol=ROUNDING)
        for ours, theirs in zip(curves, alone_curves, strict=True):
            together = ours.split(counts)[index][:, : theirs.shape[1]]  # alone, it may stop early
            assert_close(together, theirs, rtol=ROUNDING, atol=ROUNDING)
        ends.append(next(iter(alone.values()))[-1 if index == 1 else 0])  # of seed 3 or 8
    assert not torch.equal(ends[0], ends[1]), "the numbers in which they differ matter"


QUICK = {("rnn", True), ("rnn", False)}  # one for each way in which seeds are forced
SEPARATE = [LSTM(hidden=5), ShallowPLRNN(hidden=6)]  # with fused kernels, and with parameters of several shapes


@pytest.mark.parametrize(
    ("spec", "compiled"),
    [
        pytest.param(spec, compiled, marks=() if (spec.kind, compiled) in QUICK else pytest.mark.slow)
        for spec in FAMILIES
        for compiled in (True, False)
    ],
    ids=lambda value: value.kind if isinstance(value, ModelSpec) else "compiled" if value else "plain",
)
def test_intervals_may_differ(spec: ModelSpec, compiled: bool, lorenz: Dataset):
    """11 steps are a multiple of none of the intervals, and fewer than the last."""
    trainers = [SparseTeacherForcing(interval=interval, **SMALL) for interval in (5, 3, 30)]
    with nullcontext() if compiled else kernels.plain_torch():
        assert_equal_alone_and_together(trainers, spec, lorenz)


def test_intervals_in_other_units_may_differ_after_a_warm_up(lorenz: Dataset):
    intervals: list[Any] = ["0.2 tau_pred", 4, "autocorrelation"]
    trainers = [SparseTeacherForcing(interval=interval, warm_up=3, **SMALL) for interval in intervals]
    assert_equal_alone_and_together(trainers, LSTM(hidden=4, form="closed_loop"), lorenz)


@pytest.mark.parametrize("spec", SEPARATE, ids=lambda spec: spec.kind)
def test_rates_and_largest_norms_may_differ(spec: ModelSpec, lorenz: Dataset):
    """The second is clipped in every update, the third never."""
    rates: list[dict[str, Any]] = [
        {"learning_rate": 1e-3, "clip_norm": 0.1},
        {"learning_rate": 1e-2, "final_learning_rate": 1e-4, "clip_norm": 1e-4},
        {"learning_rate": 3e-4, "clip_norm": None},
    ]
    assert_equal_alone_and_together([BPTT(**rate, **SMALL) for rate in rates], spec, lorenz)


@pytest.mark.parametrize("optimizer", ["adamw", "radam"])
def test_rates_may_differ_with_every_optimiser(optimizer: Literal["adamw", "radam"], lorenz: Dataset):
    trainers = [
        SparseTeacherForcing(interval=5, optimizer=optimizer, weight_decay=0.1, learning_rate=rate, **SMALL)
        for rate in (1e-3, 1e-2, 3e-4)
    ]
    assert_equal_alone_and_together(trainers, RNN(hidden=5), lorenz)


@pytest.mark.parametrize("spec", SEPARATE, ids=lambda spec: spec.kind)
def test_alphas_may_differ(spec: ModelSpec, lorenz: Dataset):
    alphas: list[dict[str, Any]] = [{"alpha": 0.1}, {"alpha": 0.5, "final_alpha": 0.0}, {"alpha": 1.0}]
    trainers = [GeneralizedTeacherForcing(optimizer="adam", **alpha, **SMALL) for alpha in alphas]
    assert_equal_alone_and_together(trainers, spec, lorenz)


def test_rates_may_differ_where_every_seed_adapts_its_alpha(lorenz: Dataset):
    trainers = [GeneralizedTeacherForcing(learning_rate=rate, **SMALL) for rate in (1e-3, 1e-2, 3e-4)]
    assert_equal_alone_and_together(trainers, ShallowPLRNN(hidden=6), lorenz)
    assert "alpha" not in fields_that_may_differ(trainers[0])


@pytest.mark.parametrize(
    "trainer",
    [
        ScheduledSampling(**SMALL),
        MultipleShooting(interval=4, **SMALL),
        DySLIM(growth=50, **SMALL),
    ],
    ids=lambda trainer: trainer.kind,
)
def test_random_numbers_and_learned_states_remain_those_of_a_seed_alone(trainer: WindowTrainer, lorenz: Dataset):
    trainers = [trainer.replaced(learning_rate=rate, clip_norm=1.0) for rate in (1e-3, 5e-3, 3e-4)]
    assert_equal_alone_and_together(trainers, RNN(hidden=4), lorenz)


def test_every_seed_keeps_the_weights_with_which_it_stops_early_alone(lorenz: Dataset):
    """The second experiment overshoots and stops after a few updates; the others go on to the end."""
    settings: dict[str, Any] = {**SMALL, "patience": 2, "validate_every": 2}
    trainers = [SparseTeacherForcing(interval=5, learning_rate=rate, **settings) for rate in (1e-3, 0.3, 1e-2)]
    assert_equal_alone_and_together(trainers, RNN(hidden=5), lorenz)


def test_everything_that_differs_is_replayed_from_a_recording(lorenz: Dataset, monkeypatch: pytest.MonkeyPatch):
    """A replay repeats the operations of one update on the same tensors; nothing in it waits for the device."""
    recorder = OperationRecorder("_linalg_eigh", "_linalg_svd", on_host=[torch.int64])
    changes: list[dict[str, Any]] = [
        {"interval": 5, "final_learning_rate": 1e-4},
        {"interval": 3, "clip_norm": 1e-3},
        {"interval": 30, "learning_rate": 1e-2},
    ]
    trainers = [SparseTeacherForcing(**{**SMALL, "updates": 12}, **change) for change in changes]
    with kernels.plain_torch():
        expected = trained(trainers[0], RNN(hidden=5), lorenz, [3, 8, 5], trainers=trainers)
        monkeypatch.setattr(updates, "recorder_for", lambda device: recorder)
        replayed = trained(trainers[0], RNN(hidden=5), lorenz, [3, 8, 5], trainers=trainers)
    for found, value in zip(replayed, expected, strict=True):
        assert_close(found, value, rtol=ROUNDING, atol=ROUNDING)
    assert (recorder.recorded, recorder.replayed) == (2, 2 * 11), "both halves are recorded once"


def test_alphas_are_replayed_from_a_recording(lorenz: Dataset, monkeypatch: pytest.MonkeyPatch):
    recorder = OperationRecorder("_linalg_eigh", "_linalg_svd", on_host=[torch.int64])
    settings: dict[str, Any] = {**SMALL, "updates": 12, "optimizer": "adam"}
    trainers = [GeneralizedTeacherForcing(alpha=alpha, final_alpha=0.3, **settings) for alpha in (0.1, 0.9)]
    with kernels.plain_torch():
        expected = trained(trainers[0], RNN(hidden=5), lorenz, [3, 8], trainers=trainers)
        monkeypatch.setattr(updates, "recorder_for", lambda device: recorder)
        replayed = trained(trainers[0], RNN(hidden=5), lorenz, [3, 8], trainers=trainers)
    for found, value in zip(replayed, expected, strict=True):
        assert_close(found, value, rtol=ROUNDING, atol=ROUNDING)
    assert (recorder.recorded, recorder.replayed) == (2, 2 * 11)


def test_an_infinite_limit_leaves_even_an_infinite_gradient_unchanged():
    model = RNN(hidden=2).build(3, [0, 1])
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 1e30)
    clip_gradients(model, torch.tensor([torch.inf, 1.0]))
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert torch.all(parameter.grad[0] == 1e30)
        assert torch.all(parameter.grad[1] == 0)


class Doubled(SparseTeacherForcing):
    """A trainer that reads the interval in a way of its own."""

    kind: Literal["doubled"] = "doubled"  # type: ignore[assignment]

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: Any) -> Tensor:
        return super().loss(model, windows, training) * 2


def test_a_subclass_trains_alone_unless_it_says_itself_what_may_differ():
    assert "interval" in fields_that_may_differ(SparseTeacherForcing())
    assert fields_that_may_differ(Doubled()) == frozenset()


@pytest.mark.parametrize("change", [{"spread": 1}, {"anneal": True}])
def test_intervals_that_change_during_training_may_not_differ(change: dict[str, Any]):
    assert "interval" not in fields_that_may_differ(SparseTeacherForcing(**change))


def test_intervals_may_differ_at_little_cost_only_where_a_kernel_forces(lorenz: Dataset):
    for spec, cheap in zip(FAMILIES, [False, True, True, True], strict=True):
        model = spec.build(3, [0])
        assert ("interval" in fields_that_may_differ(SparseTeacherForcing(), model)) == cheap
        assert "learning_rate" in fields_that_may_differ(SparseTeacherForcing(), model)
