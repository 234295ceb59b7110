"""The conformance kit: every kind passes, and a broken promise is named with its size and the remedy."""

from dataclasses import replace
from typing import Any, ClassVar, Literal

import pytest
import torch

from chaosbench import registry
from chaosbench.models import RNN, ModelSpec, Trait
from chaosbench.models.rnn import AutonomousRNN
from chaosbench.systems import Flow, Henon, Lorenz63, SystemSpec
from chaosbench.testing import check_model, check_system, check_trainer
from chaosbench.trainers import SparseTeacherForcing, TrainerSpec
from chaosbench.trainers.descent import clip_gradients

KNOWN = registry.load().kinds
SMALL: dict[str, Any] = {"updates": 5, "batch": 4, "sequence_length": 20}
TRAINED = {"interval": 5} | SMALL


EQUATIONS = sorted(kind for kind, source in KNOWN["system"].items() if issubclass(source, SystemSpec))


@pytest.mark.parametrize("kind", EQUATIONS)
def test_every_system_passes(kind: str, monkeypatch: pytest.MonkeyPatch):
    """A fifth of the transient suffices and saves time; the fourth-order step of the spectral system errs by 2e-6."""
    monkeypatch.setattr(KNOWN["system"][kind], "transient", KNOWN["system"][kind].transient / 5)
    check_system(KNOWN["system"][kind](), step_error=1e-5 if kind == "kuramoto_sivashinsky" else 1e-6)


def matching_kind(spec: Any, noun: registry.Noun) -> Any:
    """Return the first kind of that noun with the same `learning`."""
    return next(kind for kind in KNOWN[noun].values() if kind.learning == spec.learning)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KNOWN["model"])
@pytest.mark.parametrize("dimension", [1, 3])
def test_every_model_passes(kind: str, dimension: int):
    cls = KNOWN["model"][kind]
    spec = cls(hidden=40) if cls.learning == "regression" and "hidden" in cls.model_fields else cls()  # type: ignore
    check_model(spec, dimension, trainer=None if spec.learning == "gradients" else matching_kind(spec, "trainer")())


@pytest.mark.parametrize("kind", KNOWN["trainer"])
def test_every_trainer_passes(kind: str):
    fields = KNOWN["trainer"][kind].model_fields
    spec = KNOWN["trainer"][kind](**{name: value for name, value in SMALL.items() if name in fields})
    check_trainer(spec, model=None if spec.learning == "gradients" else matching_kind(spec, "model")())


class PlainModule(torch.nn.Module):
    """A plug-in's model of one seed."""

    state_size = 3
    resets = True

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(3, 3)

    def step(self, state):
        return torch.tanh(self.inner(state))

    def observe(self, state):
        return state

    def force(self, state, observation):
        return observation


class PlainSpec(ModelSpec):
    kind: Literal["plain"] = "plain"

    def module(self, dimension):
        return PlainModule()


def test_a_plain_module_of_one_seed_passes():
    check_model(PlainSpec())


class UnrollsOneStepOnly(AutonomousRNN):
    def unroll(self, state, steps):
        return self.step(state).unsqueeze(-2).expand(-1, -1, steps, -1)


class PredictsOneStepLate(AutonomousRNN):
    def predict(self, state, steps):
        states = torch.cat([state.unsqueeze(-2), self.unroll(state, steps)], dim=-2)
        return self.observe(states[..., :-1, :]), states[..., -1, :]


class ShowsHalf(AutonomousRNN):
    def force(self, state, observation):
        return 0.5 * super().force(state, observation)


class ClaimsToReset(AutonomousRNN):
    def force(self, state, observation):
        rest = torch.zeros_like(state)
        rest[..., 0] = state[..., 0]
        shown = super().observe(rest)
        return super().force(state, observation - shown) + rest


class ConcealsThatItResets(AutonomousRNN):
    resets = False


class WrongTangents(AutonomousRNN):
    def tangent_step(self, state, tangents):
        following, carried = super().tangent_step(state, tangents)
        return following, 1.5 * carried


class CutsGradients(AutonomousRNN):
    def unroll(self, state, steps):
        return super().unroll(state, steps).detach()


class MixesSeeds(AutonomousRNN):
    def step(self, state):
        return super().step(state) + 0.1 * state.mean(dim=0, keepdim=True)


class SpreadsNaN(AutonomousRNN):
    def step(self, state):
        return super().step(state) + (0 * self.weight).sum()


class ReturnsDouble(AutonomousRNN):
    def observe(self, state):
        return super().observe(state).double()


class DescribesOneNumberForAllSeeds(AutonomousRNN):
    def describe_dynamics(self, states):
        return {"mean": Trait(states.mean())}


class DescribesSeedsByTheirMean(AutonomousRNN):
    def describe_dynamics(self, states):
        return {"mean": Trait(states.flatten(1).mean(dim=1) - states.mean())}


class DrawsFromGlobalState(AutonomousRNN):
    def __init__(self, hidden, dimension, seeds):
        super().__init__(hidden, dimension, seeds)
        self.bias = torch.nn.Parameter(torch.randn_like(self.bias))


class SharesAParameter(AutonomousRNN):
    def __init__(self, hidden, dimension, seeds):
        super().__init__(hidden, dimension, seeds)
        self.gain = torch.nn.Parameter(torch.ones(()))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (UnrollsOneStepOnly, ["unroll", "loop over step", "deviation"]),
        (PredictsOneStepLate, ["predict", "observe", "loop over step", "deviation"]),
        (ShowsHalf, ["forced state", "observation", "deviation", "shows=False"]),
        (ClaimsToReset, ["resets = True", "force must ignore"]),
        (ConcealsThatItResets, ["resets = False", "force must depend"]),
        (WrongTangents, ["tangent_step", "derivative of step", "deviation"]),
        (CutsGradients, ["'weight'", "gradient", "none"]),
        (MixesSeeds, ["alone and beside others", "deviation", "leading axis"]),
        (SpreadsNaN, ["NaN", "other seeds", "prediction changes"]),
        (ReturnsDouble, ["observe", "torch.float32", "torch.float64"]),
        (DescribesOneNumberForAllSeeds, ["describe_dynamics", "'mean'", "(K, ...)", "K = 3", "()"]),
        (DescribesSeedsByTheirMean, ["describe_dynamics", "'mean'", "NaN"]),
        (DrawsFromGlobalState, ["'bias'", "alone and beside others", "generator"]),
        (SharesAParameter, ["leading axis", "'gain'", "3", "None"]),
    ],
)
def test_a_broken_model_fails_with_the_promise_that_it_breaks(network, words, monkeypatch):
    monkeypatch.setattr(RNN, "build", lambda self, dimension, seeds: network(self.hidden, dimension, seeds))
    with pytest.raises(AssertionError) as raised:
        check_model(RNN(hidden=7))
    assert [word for word in words if word not in str(raised.value)] == []
    assert str(raised.value).startswith("rnn(hidden=7)")


def test_a_model_may_declare_that_a_forced_state_does_not_show_the_observation(monkeypatch):
    monkeypatch.setattr(RNN, "build", lambda self, dimension, seeds: ShowsHalf(self.hidden, dimension, seeds))
    check_model(RNN(hidden=7), shows=False)


class NeedsOneBatchAxis(Henon):
    def step(self, state):
        return super().step(state.reshape(-1, 2))


class WrongSlope(Henon):
    def tangent_step(self, state, tangents):
        following, carried = super().tangent_step(state, tangents)
        return following, -carried


class StartsFromGlobalDraws(Henon):
    def initial_state(self, batch, generator):
        return super().initial_state(batch, torch.Generator().manual_seed(int(torch.randint(99, ()))))


class StartsAtOnePoint(Henon):
    def initial_state(self, batch, generator):
        return super().initial_state(1, generator).expand(batch, -1).clone()


class SinglePrecision(Henon):
    def step(self, state):
        return super().step(state.float())


class Unbounded(Flow):
    """x' = 0.05 x, y' = -y: doubles every 14 units of time, too slow to be noticed in the transient."""

    kind: Literal["unbounded"] = "unbounded"
    dimension: ClassVar[int] = 2
    start: ClassVar[tuple[float, ...] | None] = (1.0,)
    dt: float = 1.0

    def vector_field(self, state):
        return state * torch.tensor([0.05, -1.0], dtype=state.dtype)


class ConstantObservable(Henon):
    """Its second observable is always 0."""

    dimension: ClassVar[int] = 2

    def observe(self, state):
        return torch.cat([state[..., :1], 0 * state[..., :1]], dim=-1)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (NeedsOneBatchAxis(), ["leading axes", "(16, 2)", "(2, 4, 2, 2)"]),
        (WrongSlope(), ["tangent_step", "derivative of step", "deviation"]),
        (StartsFromGlobalDraws(), ["initial states", "generator", "deviation"]),
        (StartsAtOnePoint(), ["initial states", "0.0e+00"]),
        (SinglePrecision(), ["torch.float32", "float64"]),
        (Lorenz63(dt=0.1), ["1e-06", "substeps"]),
        (Unbounded(), ["bounded", "1000 steps"]),
        (ConstantObservable(), ["observables", "[1]", "constant"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, SystemSpec) else "",
)
def test_a_broken_system_fails_with_the_promise_that_it_breaks(spec: SystemSpec, words: list[str]):
    with pytest.raises(AssertionError) as raised:
        check_system(spec)
    assert [word for word in words if word not in str(raised.value)] == []


def test_an_inaccurate_step_is_reported_with_the_settings_that_mend_it():
    with pytest.raises(AssertionError, match=r"`substeps`.*`dt`"):
        check_system(Lorenz63(dt=0.1))


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
    ],
)
def test_a_broken_trainer_fails_with_the_promise_that_it_breaks(trainer: type[TrainerSpec], words: list[str]):
    with pytest.raises(AssertionError) as raised:
        check_trainer(trainer(**TRAINED))
    assert [word for word in words if word not in str(raised.value)] == []
