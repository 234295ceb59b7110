"""The conformance check of trainers passes every registered trainer and fails every broken one."""

from dataclasses import replace

import pytest
import torch
from registered_kinds import KNOWN, SMALL, TRAINED, matching_kind

from chaosbench.testing import check_trainer
from chaosbench.trainers import SparseTeacherForcing, TrainerSpec
from chaosbench.trainers.descent import clip_gradients

OWN = [kind for kind, cls in KNOWN["trainer"].items() if cls.__module__.startswith("chaosbench.")]  # plug-ins: the kit


@pytest.mark.parametrize("kind", OWN)
def test_every_trainer_passes(kind: str):
    fields = KNOWN["trainer"][kind].model_fields
    spec = KNOWN["trainer"][kind](**{name: value for name, value in SMALL.items() if name in fields})
    check_trainer(spec, model=None if spec.learning == "gradients" else matching_kind(spec, "model")())


class NeverYields(SparseTeacherForcing):
    def fit(self, model, data, seeds):
        for _ in super().fit(model, data, seeds):
            pass
        yield from ()


class YieldsTooLate(SparseTeacherForcing):
    def fit(self, model, data, seeds):
        for step in super().fit(model, data, seeds):
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.sub_(1e-3 * parameter.grad)
            yield step


class ClipsTooEarly(SparseTeacherForcing):
    def fit(self, model, data, seeds):
        for step in super().fit(model, data, seeds):
            clip_gradients(model, self.clip_norm or 1.0)
            yield step


class ClipsAcrossSeeds(SparseTeacherForcing):
    def fit(self, model, data, seeds):
        for step in super().fit(model, data, seeds):
            yield step
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)


class LearnsNothing(SparseTeacherForcing):
    def fit(self, model, data, seeds):
        for step in super().fit(model, data, seeds):
            yield step
            model.zero_grad(set_to_none=True)


class TrainsWithGlobalDraws(SparseTeacherForcing):
    def loss(self, model, windows, data):
        return super().loss(model, windows + 1e-3 * torch.randn_like(windows), data)


class StopsEarly(SparseTeacherForcing):
    def fit(self, model, data, seeds):
        for step in super().fit(model, data, seeds):
            if step.update == 3:
                return
            yield step


class CountsOutsideItsState(SparseTeacherForcing):
    """Its loss grows with a count that no checkpoint holds."""

    def loss(self, model, windows, training):
        training.counted = getattr(training, "counted", 0) + 1
        return (1 + 0.1 * training.counted) * super().loss(model, windows, training)


class KeepsMomentsOutsideItsState(SparseTeacherForcing):
    """Has moments that start from zero when training is resumed."""

    def advance(self, model, training):
        training.moments = getattr(training, "moments", [torch.zeros_like(p) for p in model.parameters()])
        with torch.no_grad():
            for parameter, moment in zip(model.parameters(), training.moments, strict=True):
                moment.mul_(0.9).add_(parameter.grad)
                parameter.sub_(1e-3 * moment)


class IgnoresTheCheckpoint(SparseTeacherForcing):
    def fit(self, model, data, seeds, checkpoint=None):
        yield from super().fit(model, data, seeds)


class TakesNoCheckpoint(SparseTeacherForcing):
    def fit(self, model, data, seeds):
        yield from super().fit(model, data, seeds)


class LetsTooMuchDiffer(SparseTeacherForcing):
    """Its warm-up is that of the first trainer for all seeds."""

    def may_differ(self, model=None):
        return frozenset({"warm_up"})


class OffersNoCheckpoint(SparseTeacherForcing):
    def fit(self, model, data, seeds):
        for step in super().fit(model, data, seeds):
            yield replace(step, training=None)


def test_a_trainer_without_checkpoints_need_not_resume():
    check_trainer(OffersNoCheckpoint(**TRAINED))


@pytest.mark.parametrize(
    ("trainer", "words"),
    [
        (CountsOutsideItsState, ["update 1 of 5", "loss of update", "extra_state"]),
        (KeepsMomentsOutsideItsState, ["update 3 of 5", "differs", "extra_state"]),
        (IgnoresTheCheckpoint, ["update 1 of 5", "5 times instead of 4"]),
        (TakesNoCheckpoint, ["`training`", "`checkpoint`"]),
        (NeverYields, ["once per update", "0 times"]),
        (StopsEarly, ["once per update", "2 times for 5 updates"]),
        (YieldsTooLate, ["before it changes parameters", "'diagonal'"]),
        (ClipsTooEarly, ["before it clips", "1e-9"]),
        (ClipsAcrossSeeds, ["diverged seed", "other seeds"]),
        (LearnsNothing, ["must change the model", "5 updates"]),
        (TrainsWithGlobalDraws, ["same bits", "generator"]),
        (LetsTooMuchDiffer, ["warm_up", "one batch", "`may_differ`"]),
    ],
)
def test_a_broken_trainer_fails_with_the_promise_that_it_breaks(trainer: type[TrainerSpec], words: list[str]):
    with pytest.raises(AssertionError) as raised:
        check_trainer(trainer(**TRAINED))
    assert [word for word in words if word not in str(raised.value)] == []
