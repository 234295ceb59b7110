"""What a trainer promises."""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.models.base import ModelSpec
from chaosbench.models.shallow_plrnn import ShallowPLRNN
from chaosbench.systems.lorenz63 import Lorenz63
from chaosbench.testing.assertions import agree, check_record, demand, same
from chaosbench.testing.model import SEEDS, spoil
from chaosbench.trainers.base import TrainerSpec, TrainingStep
from chaosbench.trainers.training_state import Checkpoint


def check_trainer(spec: TrainerSpec, *, model: ModelSpec | None = None, data: Dataset | None = None) -> None:
    """Check a trainer of few updates, a dozen say, on the CPU.

    Args:
        model: what it trains; by default a small shallow network, which learns by gradients.
        data: in float32; by default short orbits of Lorenz-63.

    Raises:
        AssertionError: naming the promise that is broken, and by how much.
    """
    check_record(spec)
    model = model or ShallowPLRNN(hidden=12)
    sentence = f"{spec.label} trains by {spec.learning}, and {model.label} learns by {model.learning}"
    demand(spec.learning == model.learning, f"{sentence}; give check_trainer a model that does the same")
    data = data or simulate(Lorenz63(), DataSpec(train_orbits=4, train_length=500, validation_orbits=2, test_length=2))
    school = _School(spec, model, data.to("cpu", torch.float32))
    spec.check(school.data)
    _check_pace(school)
    healthy, losses = school.trained(SEEDS)
    _check_repetition(school, healthy)
    _, alone = school.trained(SEEDS[1:2])
    agree(alone[:, 0], losses[:, 1], f"{spec.label}: a seed must train alike alone and beside others", 1e-2)
    _check_diverging(school, healthy, losses)
    _check_resumption(school, healthy, losses)


@dataclass(frozen=True)
class _School:
    """A trainer under test, with what it trains."""

    trainer: TrainerSpec
    model: ModelSpec
    data: Dataset

    def trained(self, seeds: Sequence[int], spoiled: int | None = None) -> tuple[dict[str, Tensor], Tensor]:
        """What is learned, and the losses `(updates, K)`; `spoiled` starts from NaN."""
        model = self.model.build(self.data.dimension, seeds)
        if spoiled is not None:
            spoil(model, spoiled)
        losses = [step.loss.clone() for step in self.trainer.fit(model, self.data, seeds)]
        return model.state_dict(), torch.stack(losses)

    def resumed(self, checkpoint: Checkpoint) -> tuple[dict[str, Tensor], list[Tensor]]:
        """What is learned, and the losses, from a checkpoint on; the model knows nothing else of what was before."""
        model = self.model.build(self.data.dimension, SEEDS)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(0.1)
        fit: Any = self.trainer.fit
        losses = [step.loss.clone() for step in fit(model, self.data, SEEDS, checkpoint=checkpoint)]
        return model.state_dict(), losses


def _check_pace(school: _School) -> None:
    """One pause per update, after the backward pass and before anything is done to gradients or parameters."""
    name, model = school.trainer.label, school.model.build(school.data.dimension, SEEDS)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    promise, counted, asked, paused = f"{name}: fit must yield once per update", 0, 0, before
    for counted, step in enumerate(school.trainer.fit(model, school.data, SEEDS), start=1):
        asked, shape = step.updates, tuple(step.loss.shape)
        demand(step.update == counted, f"{promise}; yield {counted} is called update {step.update}")
        demand(shape == (len(SEEDS),), f"{name}: a loss must be ({len(SEEDS)},), one per seed; it is {shape}")
        demand(not step.loss.requires_grad, f"{name}: a loss must be detached, or it keeps the unroll in memory")
        if counted == 1 and any(parameter.grad is not None for parameter in model.parameters()):
            _check_first_pause(school, step, before)
        paused = {key: value.clone() for key, value in model.state_dict().items()}
    demand(0 < counted == asked, f"{promise}; it yields {counted} times for {asked} updates")
    changed = any(not torch.equal(value, before[key]) for key, value in model.state_dict().items())
    demand(changed, f"{name}: training must change the model; after {counted} updates every number is the same")
    if school.trainer.learning != "gradients":
        for key, value in model.state_dict().items():
            same(value, paused[key], f"{name}: without gradients, fit must yield when all is done, but {key!r} changes")


def _check_first_pause(school: _School, step: TrainingStep, before: dict[str, Tensor]) -> None:
    """Parameters are as built; gradients are as without clipping, which is made too tight to be overlooked."""
    name = school.trainer.label
    for key, value in step.model.state_dict().items():
        same(value, before[key], f"{name}: fit must yield before it changes parameters, but {key!r} has changed")
    if "clip_norm" in type(school.trainer).model_fields:
        tight = school.trainer.replaced(clip_norm=1e-9)
        model = school.model.build(school.data.dimension, SEEDS)
        norm = float(next(tight.fit(model, school.data, SEEDS)).gradient_norms().max())
        demand(
            norm > 1e-6,
            f"{name}: fit must yield before it clips gradients; at clip_norm = 1e-9 their norm is {norm:.1e}",
        )


def _check_repetition(school: _School, healthy: dict[str, Tensor]) -> None:
    torch.randn(1)  # torch's own random state must not matter
    again, _ = school.trained(SEEDS)
    promise = f"{school.trainer.label}: training must repeat itself bit for bit"
    for key, value in again.items():
        same(value, healthy[key], f"{promise}, but {key!r} differs")


def _check_resumption(school: _School, healthy: dict[str, Tensor], losses: Tensor) -> None:
    """Where a step can be set down, training taken up from it is training that never stopped, to the last bit."""
    name, updates = school.trainer.label, len(losses)
    kept: dict[int, Checkpoint] = {}
    for step in school.trainer.fit(school.model.build(school.data.dimension, SEEDS), school.data, SEEDS):
        if step.training is not None and step.update in (1, (updates + 1) // 2, updates):
            kept[step.update] = step.checkpoint()
    takes = "checkpoint" in signature(school.trainer.fit).parameters
    demand(takes or not kept, f"{name}: its steps carry a training, so fit must take the checkpoint that they set down")
    for update, checkpoint in kept.items():
        found, rest = school.resumed(checkpoint)
        promise = f"{name}: taken up at update {update} of {updates}, training must go on as if it had never stopped"
        demand(len(rest) == updates - update, f"{promise}; it yields {len(rest)} times more")
        for late, (loss, expected) in enumerate(zip(rest, losses[update:], strict=True), start=update + 1):
            same(loss, expected, f"{promise}, but the loss of update {late} differs")
        for key, value in found.items():
            same(value, healthy[key], f"{promise}, but {key!r} ends elsewhere")


def _check_diverging(school: _School, healthy: dict[str, Tensor], losses: Tensor) -> None:
    promise = f"{school.trainer.label}: a diverged seed must leave its neighbours as they are"
    spoiled, others = school.trained(SEEDS, spoiled=1)
    same(others[:, [0, 2]], losses[:, [0, 2]], f"{promise}, but a loss changes")
    for key, value in spoiled.items():
        if value.dim() and value.shape[0] == len(SEEDS):
            same(value[[0, 2]], healthy[key][[0, 2]], f"{promise}, but {key!r} changes")
