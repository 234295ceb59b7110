"""The state at the end of a history of observations: one contract for every kind of model."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from chaosbench.errors import PluginError
from chaosbench.models import (
    GRU,
    LEM,
    LSTM,
    PLRNN,
    RNN,
    CoRNN,
    EchoStateNetwork,
    Forecaster,
    LinOSS,
    LiquidTimeConstant,
    ModelSpec,
    NeuralODE,
    OrthogonalRNN,
    ShallowPLRNN,
    UnICORNN,
    stack,
)

CLOSED_LOOP = [
    RNN(hidden=7, form="closed_loop"),
    GRU(hidden=6, form="closed_loop"),
    LSTM(hidden=6, form="closed_loop"),
    CoRNN(hidden=6),
    UnICORNN(hidden=6),
    LinOSS(hidden=6, features=4),
    LinOSS(hidden=6, features=4, scheme="implicit_explicit"),
    OrthogonalRNN(hidden=6, negative=3),
    LEM(hidden=6),
    LiquidTimeConstant(hidden=6),
    EchoStateNetwork(hidden=12),
]
PARTLY_FORCED = [PLRNN(hidden=7, readout="identity"), ShallowPLRNN(hidden=9, states=5)]
RESETTING = [RNN(hidden=7), LSTM(hidden=6), PLRNN(hidden=7), ShallowPLRNN(hidden=9), NeuralODE(hidden=6)]


def histories(model: Forecaster, steps: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(model.seeds, 4, steps, model.dimension, dtype=torch.float64, generator=generator)


def alternated(model: Forecaster, history: Tensor) -> Tensor:
    """Force the first observation, then step and force up to the last, line by line."""
    state = model.first_state(history[:, :, 0])
    for time in range(1, history.shape[2]):
        state = model.force(model.step(state), history[:, :, time])
    return state


@pytest.mark.parametrize("spec", [*CLOSED_LOOP, *PARTLY_FORCED, *RESETTING], ids=lambda spec: spec.label)
def test_a_history_is_a_first_forcing_and_then_steps_and_forcings(spec: ModelSpec):
    """Fast paths leave out what forcing overwrites, so that they differ by rounding alone."""
    model = spec.build(2, (0, 1)).double()
    history = histories(model)
    assert_close(model.initial_state(history), alternated(model, history), atol=1e-13, rtol=1e-12)


@pytest.mark.parametrize("spec", RESETTING, ids=lambda spec: spec.label)
def test_a_model_that_resets_uses_the_last_observation_alone(spec: ModelSpec):
    """To the last bit the state is what forcing that observation on a zero state gives."""
    model = spec.build(2, (0, 1)).double()
    history = histories(model)
    zero = torch.zeros(2, 4, model.state_size, dtype=torch.float64)
    assert torch.equal(model.initial_state(history), model.force(zero, history[:, :, -1]))
    assert torch.equal(model.initial_state(history[:, :, -1:]), model.initial_state(history))


@pytest.mark.parametrize("spec", [*CLOSED_LOOP, *PARTLY_FORCED], ids=lambda spec: spec.label)
def test_a_model_that_keeps_a_part_of_its_state_depends_on_the_whole_history(spec: ModelSpec):
    model = spec.build(2, (0, 1)).double()
    history = histories(model)
    changed = history.clone()
    changed[:, :, 0] += 1
    assert not torch.allclose(model.initial_state(changed), model.initial_state(history))
    assert_close(model.observe(model.initial_state(history)), history[:, :, -1])


@pytest.mark.parametrize("spec", CLOSED_LOOP, ids=lambda spec: spec.label)
def test_one_observation_leaves_the_hidden_state_of_a_closed_loop_empty(spec: ModelSpec):
    model = spec.build(2, (0, 1)).double()
    observation = histories(model, 1)
    empty = torch.zeros(2, 4, model.state_size - 2, dtype=torch.float64)
    assert torch.equal(model.initial_state(observation), torch.cat([empty, observation[:, :, 0]], dim=-1))


class Driven(nn.Module):
    """A plain module of one seed with a hidden unit that forcing keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.state_size = 3
        self.layer = nn.Linear(3, 3)

    def step(self, state: Tensor) -> Tensor:
        return torch.tanh(self.layer(state))

    def observe(self, state: Tensor) -> Tensor:
        return state[:, :2]

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        return torch.cat([observation, state[:, 2:]], dim=-1)


class Averaging(Driven):
    """A plain module with a start of its own: the hidden unit is the mean of the history."""

    def initial_state(self, history: Tensor) -> Tensor:
        return torch.cat([history[:, -1], history.mean(dim=(1, 2))[:, None]], dim=-1)


def test_plain_modules_with_step_and_force_alone_are_driven_by_the_history():
    plain = [Driven().double() for _ in range(2)]
    model = stack(plain, 2)
    history = histories(model)
    for seed, module in enumerate(plain):
        state = module.force(torch.zeros(4, 3, dtype=torch.float64), history[seed, :, 0])
        for time in range(1, 6):
            state = module.force(module.step(state), history[seed, :, time])
        assert_close(model.initial_state(history)[seed], state)


def test_plain_modules_with_a_start_of_their_own_get_the_history():
    model = stack([Averaging().double(), Averaging().double()], 2)
    history = histories(model)
    assert_close(model.initial_state(history)[..., 2], history.mean(dim=(2, 3)))


class OfOneObservation(Driven):
    def initial_state(self, history: Tensor) -> Tensor:
        return torch.cat([history, torch.zeros(len(history), 1)], dim=-1)


class Unreduced(Driven):
    def initial_state(self, history: Tensor) -> Tensor:
        return history


@pytest.mark.parametrize("plain", [OfOneObservation, Unreduced])
def test_a_start_that_expects_a_single_observation_is_refused_with_the_remedy(plain: type[nn.Module]):
    with pytest.raises(PluginError, match=r"initial_state.*\(B, H, D\).*history\[:, -1\]"):
        stack([plain()], 2)
