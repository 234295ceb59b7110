"""Fast paths that restate `step` are not taken by subclasses that change it."""

import pytest
import torch

from chaosbench.models import RNN, AlmostLinearRNN, DendriticPLRNN, ModelSpec, ShallowPLRNN
from chaosbench.models.inheritance import still_holds
from chaosbench.models.readouts import AffineReadout, IdentityReadout, LinearReadout
from chaosbench.models.rnn import AutonomousRNN
from chaosbench.trainers.forcing import blended_unroll


class Leaky(AutonomousRNN):
    def step(self, state):
        return 0.5 * state + 0.5 * super().step(state)


class SeesDouble(AutonomousRNN):
    def observe(self, state):
        return 2 * super().observe(state)


class ForcedByHalf(AutonomousRNN):
    def force(self, state, observation):
        return 0.5 * super().force(state, observation)


class SquaredReadout(LinearReadout):
    def observe(self, state):
        return super().observe(state).square()


class LeakyWithItsOwnNetwork(Leaky):
    def network(self):
        return None


class Renamed(AutonomousRNN):
    gain = 2

    def __init__(self, hidden, dimension, seeds):
        super().__init__(hidden, dimension, seeds)

    def describe_dynamics(self, states):
        return {}

    def summary(self):
        return "a method of its own"


@pytest.mark.parametrize("cls", [Leaky, SeesDouble, ForcedByHalf])
def test_a_network_does_not_hold_below_a_method_that_it_restates(cls):
    assert not still_holds(cls, "network")
    assert cls(5, 3, range(2)).compiled_network() is None


@pytest.mark.parametrize("cls", [AutonomousRNN, Renamed, LeakyWithItsOwnNetwork])
def test_a_network_holds_where_what_it_restates_is_inherited(cls):
    assert still_holds(cls, "network")


@pytest.mark.parametrize("spec", [RNN(), ShallowPLRNN(), AlmostLinearRNN(), DendriticPLRNN()], ids=lambda s: s.kind)
def test_built_in_networks_hold(spec: ModelSpec):
    assert still_holds(type(spec.build(3, [0])), "network")


def test_a_network_does_not_hold_with_a_readout_that_is_not_its_affine_map():
    model = AutonomousRNN(5, 3, range(2))
    assert model.compiled_network() is not None
    model.readout.__class__ = SquaredReadout
    assert model.compiled_network() is None
    assert all(still_holds(cls, "affine_map") for cls in (LinearReadout, AffineReadout, IdentityReadout))


@pytest.mark.parametrize("cls", [Leaky, SeesDouble, ForcedByHalf])
def test_changed_subclasses_predict_by_their_own_methods(cls):
    """Exact: both sides run the same operations, whether or not compiled kernels are installed."""
    torch.manual_seed(0)
    model, windows = cls(5, 3, range(2)), torch.randn(2, 4, 10, 3)
    state = model.initial_state(windows[:, :, :1])
    states = [state := model.step(state) for _ in range(9)]
    expected = model.observe(torch.stack(states, dim=2))
    assert torch.equal(model.predict(model.initial_state(windows[:, :, :1]), 9)[0], expected)
    free = blended_unroll(model, windows, torch.zeros(1, 1, 8))
    torch.testing.assert_close(free, expected, rtol=1e-5, atol=1e-6)  # float32; with weight 0 nothing is forced
