"""The conformance check of models passes every registered model and fails every broken one."""

from typing import Literal

import pytest
import torch
from registered_kinds import KNOWN, matching_kind

from chaosbench.models import RNN, ModelSpec, Trait
from chaosbench.models.rnn import AutonomousRNN
from chaosbench.testing import check_model

OWN = [kind for kind, cls in KNOWN["model"].items() if cls.__module__.startswith("chaosbench.")]  # plug-ins have theirs


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize("dimension", [1, 3])
def test_every_model_passes(kind: str, dimension: int):
    cls = KNOWN["model"][kind]
    spec = cls(hidden=40) if cls.learning == "regression" and "hidden" in cls.model_fields else cls()  # type: ignore
    check_model(spec, dimension, trainer=None if spec.learning == "gradients" else matching_kind(spec, "trainer")())


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
