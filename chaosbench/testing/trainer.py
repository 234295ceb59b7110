"""Checks of a trainer."""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, cast

import torch
from torch import Tensor

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.models.base import ModelSpec
from chaosbench.models.shallow_plrnn import ShallowPLRNN
from chaosbench.systems.lorenz63 import Lorenz63
from chaosbench.testing.assertions import ROUNDING, assert_agree, assert_identical, check_spec_round_trip, require
from chaosbench.testing.model import SEEDS, spoil
from chaosbench.trainers.base import TrainerSpec, TrainingStep, fields_that_may_differ
from chaosbench.trainers.descent import gradient_norms
from chaosbench.trainers.gradient_trainer import GradientTrainer
from chaosbench.trainers.training_state import Checkpoint

_WARM_UP = 3  # [steps]
_COMPANY = 1e-8  # rounding in double precision over a dozen updates
_OWN_DRAWS = "draw random numbers from generators of the seeds, see chaosbench.seed_generator"


def check_trainer(spec: TrainerSpec, *, model: ModelSpec | None = None, data: Dataset | None = None) -> None:
    """Check a trainer on the CPU. Configure it for a dozen updates or fewer, since it runs several times.

    Args:
        model: what it trains; by default a small shallow PLRNN, which learns by gradients.
        data: converted to float32; by default short orbits of Lorenz-63.

    Raises:
        AssertionError: naming the broken promise, by how much it is broken, and how to keep it.
    """
    check_spec_round_trip(spec)
    model = model or ShallowPLRNN(hidden=12)
    pair = f"{spec.label} has learning = {spec.learning!r} and {model.label} has {model.learning!r}"
    require(spec.learning == model.learning, f"{pair}; pass check_trainer a model with the same learning")
    data = data or simulate(Lorenz63(), DataSpec(train_orbits=4, train_length=500, validation_orbits=2, test_length=2))
    case = _Case(spec, model, data.to("cpu", torch.float32))
    spec.check(case.data)
    _check_yields(case)
    _check_warm_up(case)
    healthy, losses = case.train(SEEDS)
    _check_repetition(case, healthy)
    _, alone = case.train(SEEDS[1:2])
    promise = f"{spec.label}: a seed must have the same losses alone and beside others"
    assert_agree(alone[:, 0], losses[:, 1], promise, 1e-2, _OWN_DRAWS)
    _check_divergence(case, healthy, losses)
    _check_resumption(case, healthy, losses)
    _check_company(case)


@dataclass(frozen=True)
class _Case:
    """A trainer under test, with a model and data to train on."""

    trainer: TrainerSpec
    model: ModelSpec
    data: Dataset

    def train(self, seeds: Sequence[int], spoiled: int | None = None) -> tuple[dict[str, Tensor], Tensor]:
        """Return the trained weights and the losses, `(updates, K)`; the seed with index `spoiled` starts with NaN."""
        model = self.model.build(self.data.dimension, seeds)
        if spoiled is not None:
            spoil(model, spoiled)
        losses = [step.loss.clone() for step in self.trainer.fit(model, self.data, seeds)]
        return model.state_dict(), torch.stack(losses)

    def resume(self, checkpoint: Checkpoint) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Return the weights and the remaining losses of training resumed with a model of unrelated weights."""
        model = self.model.build(self.data.dimension, SEEDS)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(0.1)
        fit: Any = self.trainer.fit
        losses = [step.loss.clone() for step in fit(model, self.data, SEEDS, checkpoint=checkpoint)]
        return model.state_dict(), losses


def _check_yields(case: _Case) -> None:
    """Check that fit yields once per update, after the backward pass, before it changes gradients or parameters."""
    name, model = case.trainer.label, case.model.build(case.data.dimension, SEEDS)
    before = _copy(model.state_dict())
    promise, count, updates, last = f"{name}: fit must yield once per update", 0, 0, before
    for count, step in enumerate(case.trainer.fit(model, case.data, SEEDS), start=1):
        updates, shape = step.updates, tuple(step.loss.shape)
        require(step.update == count, f"{promise}; yield {count} has update = {step.update}; count updates from 1")
        require(shape == (len(SEEDS),), f"{name}: a loss must have shape ({len(SEEDS)},), one per seed; it has {shape}")
        require(not step.loss.requires_grad, f"{name}: a loss must be detached; otherwise it keeps the graph in memory")
        if count == 1 and any(parameter.grad is not None for parameter in model.parameters()):
            _check_first_yield(case, step, before)
        last = _copy(model.state_dict())
    require(0 < count == updates, f"{promise}; it yields {count} times for {updates} updates")
    changed = any(not torch.equal(value, before[key]) for key, value in model.state_dict().items())
    require(changed, f"{name}: training must change the model; after {count} updates every number is the same")
    if case.trainer.learning != "gradients":
        for key, value in model.state_dict().items():
            promise = f"{name}: without gradients, fit must yield when training is complete, but {key!r} changes later"
            assert_identical(value, last[key], promise, "yield last")


def _check_first_yield(case: _Case, step: TrainingStep, before: dict[str, Tensor]) -> None:
    """Check that parameters are as built, and that gradients are not clipped, with a clipping too tight to miss."""
    name = case.trainer.label
    for key, value in step.model.state_dict().items():
        promise = f"{name}: fit must yield before it changes parameters, but {key!r} has changed"
        assert_identical(value, before[key], promise, "yield between backward() and the optimiser's step")
    if "clip_norm" in type(case.trainer).model_fields:
        tight = case.trainer.replaced(clip_norm=1e-9)
        model = case.model.build(case.data.dimension, SEEDS)
        next(tight.fit(model, case.data, SEEDS))
        norm = float(gradient_norms(model).max())
        promise = f"{name}: fit must yield before it clips gradients"
        require(norm > 1e-6, f"{promise}; with clip_norm = 1e-9 their norm is {norm:.1e}; clip after the yield")


def _check_warm_up(case: _Case) -> None:
    """Check that the loss leaves the warm-up out: a model that resets then has the loss of the windows without it."""
    trainer, model = case.trainer, case.model.build(case.data.dimension, SEEDS)
    if not isinstance(trainer, GradientTrainer) or trainer.no_warm_up or not model.resets:
        return
    losses, drawn = [], None
    for steps in (_WARM_UP, 0):
        warmed = trainer.replaced(warm_up=steps)
        training = warmed.start(model, case.data, SEEDS)
        training.update = 1
        if drawn is None:
            drawn = warmed.windows(training)
            training = warmed.start(model, case.data, SEEDS)
            training.update = 1
        losses.append(warmed.loss(model, warmed.parts(drawn[:, :, _WARM_UP - steps :])[0], training).detach())
    promise = f"{trainer.label}: with a model that resets, the loss must not depend on the warm-up"
    advice = "split windows by `self.split`, or set the ClassVar `no_warm_up` to the reason why there is none"
    assert_agree(losses[0], losses[1], promise, ROUNDING[torch.float32], advice)


def _check_repetition(case: _Case, healthy: dict[str, Tensor]) -> None:
    torch.randn(1)  # torch's global random state must not matter
    again, _ = case.train(SEEDS)
    for key, value in again.items():
        promise = f"{case.trainer.label}: repeated training must give the same bits, but {key!r} differs"
        assert_identical(value, healthy[key], promise, _OWN_DRAWS)


def _check_resumption(case: _Case, healthy: dict[str, Tensor], losses: Tensor) -> None:
    """Check that training resumed from any checkpoint equals uninterrupted training to the last bit."""
    name, updates = case.trainer.label, len(losses)
    checkpoints: dict[int, Checkpoint] = {}
    for step in case.trainer.fit(case.model.build(case.data.dimension, SEEDS), case.data, SEEDS):
        if step.training is not None and step.update in (1, (updates + 1) // 2, updates):
            checkpoints[step.update] = step.checkpoint()
    accepts = "checkpoint" in signature(case.trainer.fit).parameters
    promise = f"{name}: its steps carry `training`, so fit must accept the argument `checkpoint`"
    require(accepts or not checkpoints, f"{promise}; add it, or yield steps with training = None")
    for update, checkpoint in checkpoints.items():
        promise = f"{name}: training resumed at update {update} of {updates} must equal uninterrupted training"
        advice = "keep whatever lasts from update to update in `training.extra_state`"
        weights, rest = case.resume(checkpoint)
        count = updates - update
        require(len(rest) == count, f"{promise}; it yields {len(rest)} times instead of {count}; use `checkpoint`")
        for later, (loss, expected) in enumerate(zip(rest, losses[update:], strict=True), start=update + 1):
            assert_identical(loss, expected, f"{promise}, but the loss of update {later} differs", advice)
        for key, value in weights.items():
            assert_identical(value, healthy[key], f"{promise}, but the final {key!r} differs", advice)


def _check_divergence(case: _Case, healthy: dict[str, Tensor], losses: Tensor) -> None:
    """Check that a seed which starts with NaN changes no number of the others."""
    promise = f"{case.trainer.label}: a diverged seed must not change the other seeds"
    advice = "sum the losses of the seeds, and clip or scale the gradients of each seed by itself"
    spoiled, others = case.train(SEEDS, spoiled=1)
    assert_identical(others[:, [0, 2]], losses[:, [0, 2]], f"{promise}, but a loss changes", advice)
    for key, value in spoiled.items():
        if value.dim() and value.shape[0] == len(SEEDS):
            assert_identical(value[[0, 2]], healthy[key][[0, 2]], f"{promise}, but {key!r} changes", advice)


def _check_company(case: _Case) -> None:
    """Check that seeds whose trainers differ as `may_differ` allows learn in one batch what each learns alone."""
    own = {name: getattr(case.trainer, name) for name in sorted(fields_that_may_differ(case.trainer))}
    changes = {name: value / 2 for name, value in own.items() if isinstance(value, float)}
    changes |= {name: value + 1 for name, value in own.items() if isinstance(value, int)}
    if not changes:
        return
    name, trainers = case.trainer.label, [case.trainer, case.trainer.replaced(**changes)]
    data = case.data.to("cpu", torch.float64)

    def trained(trainer: TrainerSpec, seeds: Sequence[int], **options: Any) -> dict[str, Tensor]:
        model, fit = case.model.build(data.dimension, seeds).double(), cast("Any", trainer.fit)
        assert all(step.model is model for step in fit(model, data, seeds, **options))
        return model.state_dict()

    both = trained(case.trainer, SEEDS[:2], trainers=trainers)
    advice = "read fields that differ by `training.numbers`, or leave them out of `may_differ`"
    for index, trainer in enumerate(trainers):
        for key, value in trained(trainer, SEEDS[index : index + 1]).items():
            promise = f"{name}: trainers that differ in {', '.join(changes)} must learn the same alone and as one batch"
            found = both[key] if value.shape == both[key].shape else both[key][index : index + 1]
            assert_agree(found, value, f"{promise}, but {key!r} differs", _COMPANY, advice)


def _copy(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in state_dict.items()}
