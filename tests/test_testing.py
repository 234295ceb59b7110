"""The conformance kit: everything shipped passes, and what breaks a promise is told which."""

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
from chaosbench.trainers.base import clip_gradients

KNOWN = registry.load().kinds
SMALL: dict[str, Any] = {"updates": 5, "batch": 4, "sequence_length": 20}
TRAINED = {"interval": 5} | SMALL


EQUATIONS = sorted(KNOWN["system"].keys() - {"timeseries"})  # a measured series cannot step


@pytest.mark.parametrize("kind", EQUATIONS)
def test_every_system_passes(kind: str, monkeypatch: pytest.MonkeyPatch):
    """After a fifth of the transient, which costs most; the spectral system's fourth-order step errs by 2e-6."""
    monkeypatch.setattr(KNOWN["system"][kind], "transient", KNOWN["system"][kind].transient / 5)
    check_system(KNOWN["system"][kind](), step_error=1e-5 if kind == "kuramoto_sivashinsky" else 1e-6)


def partner(spec: Any, noun: registry.Noun) -> Any:
    """The first kind of that noun that learns as the spec does."""
    return next(one for one in KNOWN[noun].values() if one.learning == spec.learning)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KNOWN["model"])
@pytest.mark.parametrize("dimension", [1, 3])
def test_every_model_passes(kind: str, dimension: int):
    cls = KNOWN["model"][kind]
    spec = cls(hidden=40) if cls.learning == "regression" and "hidden" in cls.model_fields else cls()  # type: ignore
    check_model(spec, dimension, trainer=None if spec.learning == "gradients" else partner(spec, "trainer")())


@pytest.mark.parametrize("kind", KNOWN["trainer"])
def test_every_trainer_passes(kind: str):
    fields = KNOWN["trainer"][kind].model_fields
    spec = KNOWN["trainer"][kind](**{name: value for name, value in SMALL.items() if name in fields})
    check_trainer(spec, model=None if spec.learning == "gradients" else partner(spec, "model")())


class Plain(torch.nn.Module):
    """A stranger's model of one seed."""

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


class Strange(ModelSpec):
    kind: Literal["strange"] = "strange"

    def module(self, dimension):
        return Plain()


def test_a_strangers_plain_module_passes():
    check_model(Strange())


class ForgetsToLoop(AutonomousRNN):
    def unroll(self, state, steps):
        return self.step(state).unsqueeze(-2).expand(-1, -1, steps, -1)


class PredictsLate(AutonomousRNN):
    def predict(self, state, steps):
        states = torch.cat([state.unsqueeze(-2), self.unroll(state, steps)], dim=-2)
        return self.observe(states[..., :-1, :]), states[..., -1, :]


class ShowsHalf(AutonomousRNN):
    def force(self, state, observation):
        return 0.5 * super().force(state, observation)


class SaysItResets(AutonomousRNN):
    def force(self, state, observation):
        rest = torch.zeros_like(state)
        rest[..., 0] = state[..., 0]
        shown = super().observe(rest)
        return super().force(state, observation - shown) + rest


class HidesThatItResets(AutonomousRNN):
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


class KeepsDouble(AutonomousRNN):
    def observe(self, state):
        return super().observe(state).double()


class TellsOneNumber(AutonomousRNN):
    def describe_dynamics(self, states):
        return {"mean": Trait(states.mean())}


class TellsOfAllSeeds(AutonomousRNN):
    def describe_dynamics(self, states):
        return {"mean": Trait(states.flatten(1).mean(dim=1) - states.mean())}


class DrawsFromTorch(AutonomousRNN):
    def __init__(self, hidden, dimension, seeds):
        super().__init__(hidden, dimension, seeds)
        self.bias = torch.nn.Parameter(torch.randn_like(self.bias))


class SharesAParameter(AutonomousRNN):
    def __init__(self, hidden, dimension, seeds):
        super().__init__(hidden, dimension, seeds)
        self.gain = torch.nn.Parameter(torch.ones(()))


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (ForgetsToLoop, "unroll must equal looped steps; they differ by"),
        (PredictsLate, "predict must equal observe of looped steps; they differ by"),
        (ShowsHalf, "a forced state must show the observation; they differ by"),
        (SaysItResets, "`resets` is True, so force must ignore the state it replaces"),
        (HidesThatItResets, "`resets` is False, but force ignores the state"),
        (WrongTangents, "tangent_step must be the derivative of step; they differ by"),
        (CutsGradients, "parameter 'weight' must have a gradient; it has none"),
        (MixesSeeds, "a seed must predict the same alone and beside others; they differ by"),
        (SpreadsNaN, "a seed with NaN must leave its neighbours as they are, but a prediction changes"),
        (KeepsDouble, "observe must keep torch.float32; it is torch.float64"),
        (TellsOneNumber, "portrait 'mean' must be (K, ...), with K = 3; it is ()"),
        (TellsOfAllSeeds, "a seed with NaN must leave its neighbours as they are, but portrait 'mean' changes"),
        (DrawsFromTorch, "parameter 'bias' of a seed must be the same alone and beside others"),
        (SharesAParameter, "the leading axis of parameter 'gain' must be the 3 seeds; it is None"),
    ],
)
def test_a_broken_model_is_told_which_promise_it_breaks(network, sentence, monkeypatch):
    monkeypatch.setattr(RNN, "build", lambda self, dimension, seeds: network(self.hidden, dimension, seeds))
    with pytest.raises(AssertionError) as raised:
        check_model(RNN(hidden=7))
    assert sentence in str(raised.value)
    assert str(raised.value).startswith("rnn(hidden=7)")


def test_a_model_may_say_that_a_forced_state_does_not_show(monkeypatch):
    monkeypatch.setattr(RNN, "build", lambda self, dimension, seeds: ShowsHalf(self.hidden, dimension, seeds))
    check_model(RNN(hidden=7), shows=False)


class OneBatchAxis(Henon):
    def step(self, state):
        return super().step(state.reshape(-1, 2))


class WrongSlope(Henon):
    def tangent_step(self, state, tangents):
        following, carried = super().tangent_step(state, tangents)
        return following, -carried


class StartsAnywhere(Henon):
    def initial_state(self, batch, generator):
        return super().initial_state(batch, torch.Generator().manual_seed(int(torch.randint(99, ()))))


class StartsAtOnePoint(Henon):
    def initial_state(self, batch, generator):
        return super().initial_state(1, generator).expand(batch, -1).clone()


class SinglePrecision(Henon):
    def step(self, state):
        return super().step(state.float())


class Leaving(Flow):
    """x' = 0.05 x, y' = -y: doubles every 14 units of time, so that no transient shows it."""

    kind: Literal["leaving"] = "leaving"
    dimension: ClassVar[int] = 2
    start: ClassVar[tuple[float, ...] | None] = (1.0,)
    dt: float = 1.0

    def vector_field(self, state):
        return state * torch.tensor([0.05, -1.0], dtype=state.dtype)


class Resting(Henon):
    """Everything is observed twice, and once not at all."""

    dimension: ClassVar[int] = 2

    def observe(self, state):
        return torch.cat([state[..., :1], 0 * state[..., :1]], dim=-1)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (OneBatchAxis(), "a step must not depend on the leading axes; its shape is (16, 2), not (2, 4, 2, 2)"),
        (WrongSlope(), "tangent_step must be the derivative of step; they differ by"),
        (StartsAnywhere(), "initial states must come from the generator alone; they differ by"),
        (StartsAtOnePoint(), "initial states must be spread; they lie within 0.0e+00"),
        (SinglePrecision(), "a step of float64 must be float64; it is torch.float32"),
        (Lorenz63(dt=0.1), "must err by less than 1e-06 per unit of time; it errs by"),
        (Leaving(), "orbits must stay bounded; within 1000 steps this one reaches"),
        (Resting(), "observables must vary; [1] are constant and could not be standardised"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, SystemSpec) else "",
)
def test_a_broken_system_is_told_which_promise_it_breaks(spec: SystemSpec, sentence: str):
    with pytest.raises(AssertionError) as raised:
        check_system(spec)
    assert sentence in str(raised.value)


def test_an_inaccurate_step_is_told_what_to_change():
    with pytest.raises(AssertionError, match="raise `substeps`, or lower `dt`"):
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


class DrawsFromTorchToo(SparseTeacherForcing):
    def loss(self, model, windows, data):
        return super().loss(model, windows + 1e-3 * torch.randn_like(windows), data)


class StopsEarly(SparseTeacherForcing):
    def fit(self, model, data, seeds):
        for step in super().fit(model, data, seeds):
            if step.update == 3:
                return
            yield step


class CountsBesideTheCourse(SparseTeacherForcing):
    """Its loss grows from update to update by a count that no checkpoint holds."""

    def loss(self, model, windows, training):
        training.counted = getattr(training, "counted", 0) + 1
        return (1 + 0.1 * training.counted) * super().loss(model, windows, training)


class KeepsItsOptimizer(SparseTeacherForcing):
    """Moments of its own, which begin anew when it is taken up."""

    def advance(self, model, training):
        training.moments = getattr(training, "moments", [torch.zeros_like(p) for p in model.parameters()])
        with torch.no_grad():
            for parameter, moment in zip(model.parameters(), training.moments, strict=True):
                moment.mul_(0.9).add_(parameter.grad)
                parameter.sub_(1e-3 * moment)


class StartsAnew(SparseTeacherForcing):
    def fit(self, model, data, seeds, checkpoint=None):
        yield from super().fit(model, data, seeds)


class TakesNothingUp(SparseTeacherForcing):
    def fit(self, model, data, seeds):
        yield from super().fit(model, data, seeds)


class SetsNothingDown(SparseTeacherForcing):
    def fit(self, model, data, seeds):
        for step in super().fit(model, data, seeds):
            yield replace(step, training=None)


def test_a_trainer_that_sets_nothing_down_promises_nothing_of_checkpoints():
    check_trainer(SetsNothingDown(**TRAINED))


@pytest.mark.parametrize(
    ("trainer", "sentence"),
    [
        (
            CountsBesideTheCourse,
            "taken up at update 1 of 5, training must go on as if it had never stopped, but",
        ),
        (KeepsItsOptimizer, "taken up at update 3 of 5, training must go on as if it had never stopped, but"),
        (
            StartsAnew,
            "taken up at update 1 of 5, training must go on as if it had never stopped; it yields 5",
        ),
        (TakesNothingUp, "its steps carry a training, so fit must take the checkpoint that they set down"),
        (NeverYields, "fit must yield once per update; it yields 0 times"),
        (StopsEarly, "fit must yield once per update; it yields 2 times for 5 updates"),
        (YieldsTooLate, "fit must yield before it changes parameters, but 'diagonal' has changed"),
        (ClipsTooEarly, "fit must yield before it clips gradients; at clip_norm = 1e-9"),
        (ClipsAcrossSeeds, "a diverged seed must leave its neighbours as they are"),
        (LearnsNothing, "training must change the model; after 5 updates every number is the same"),
        (DrawsFromTorchToo, "training must repeat itself bit for bit"),
    ],
)
def test_a_broken_trainer_is_told_which_promise_it_breaks(trainer: type[TrainerSpec], sentence: str):
    with pytest.raises(AssertionError) as raised:
        check_trainer(trainer(**TRAINED))
    assert sentence in str(raised.value)
