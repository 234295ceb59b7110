"""What every built-in model answers, whatever its architecture."""

import pytest
import torch
from torch.testing import assert_close

from chaosbench.dynamics import tangent_step_by_jvp
from chaosbench.errors import PluginError, SpecError
from chaosbench.models import LSTM, PLRNN, RNN, Forecaster, ModelSpec, ShallowPLRNN, stack
from chaosbench.models.readouts import pseudo_inverse

SPECS = [
    RNN(hidden=7),
    LSTM(hidden=6),
    PLRNN(hidden=7),
    PLRNN(hidden=7, readout="identity"),
    ShallowPLRNN(hidden=9),
    ShallowPLRNN(hidden=9, clipped=True),
    ShallowPLRNN(hidden=9, states=5, readout="linear"),
    ShallowPLRNN(hidden=9, states=5),
]
every_model = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label)


def built(spec: ModelSpec, seeds: tuple[int, ...] = (0, 1, 2)) -> Forecaster:
    """The model in float64 with biases that are not zero."""
    model = spec.build(3, seeds).double()
    with torch.no_grad():
        for parameter in model.parameters():
            generator = torch.Generator().manual_seed(5)
            parameter.add_(0.1 * torch.randn(parameter.shape, dtype=torch.float64, generator=generator))
    return model


def states_of(model: Forecaster, batch: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(model.seeds, batch, model.state_size, dtype=torch.float64, generator=generator)


@every_model
def test_a_seed_has_the_same_weights_alone_and_beside_others(spec: ModelSpec):
    together, alone = spec.build(3, (4, 7, 11)), spec.build(3, (7,))
    for (name, many), (_, one) in zip(together.named_parameters(), alone.named_parameters(), strict=True):
        assert torch.equal(many[1], one[0]), name


@every_model
def test_different_seeds_have_different_weights(spec: ModelSpec):
    model = spec.build(3, (0, 1))
    assert any(not torch.equal(parameter[0], parameter[1]) for parameter in model.parameters())


@every_model
def test_shapes_are_those_of_the_contract(spec: ModelSpec):
    model = built(spec)
    state = states_of(model)
    observation = torch.randn(3, 4, 3, dtype=torch.float64)
    assert model.step(state).shape == (3, 4, model.state_size)
    assert model.observe(state).shape == (3, 4, 3)
    assert model.observe(model.unroll(state, 5)).shape == (3, 4, 5, 3)
    assert model.force(state, observation).shape == state.shape
    assert model.initial_state(observation).shape == state.shape
    assert model.predict(state, 5)[0].shape == (3, 4, 5, 3)


@every_model
def test_a_forced_state_shows_the_observation(spec: ModelSpec):
    """B B⁺ = 1 for a read-out of full rank; rounding is amplified by its condition, far below 1e4 here."""
    model = built(spec)
    observation = torch.randn(3, 4, 3, dtype=torch.float64)
    assert_close(model.observe(model.force(states_of(model), observation)), observation, atol=1e-10, rtol=0)
    assert_close(model.observe(model.initial_state(observation)), observation, atol=1e-10, rtol=0)


@every_model
def test_prediction_and_unroll_equal_looped_steps(spec: ModelSpec):
    """The same operations, fused in some models: equal up to the rounding of 20 steps."""
    model = built(spec)
    state = first = states_of(model)
    looped = []
    for _ in range(20):
        state = model.step(state)
        looped.append(state)
    assert_close(model.unroll(first, 20), torch.stack(looped, dim=2), atol=1e-10, rtol=1e-10)
    observed, last = model.predict(first, 20)
    assert_close(observed, model.observe(torch.stack(looped, dim=2)), atol=1e-10, rtol=1e-10)
    assert_close(last, state, atol=1e-10, rtol=1e-10)


@every_model
def test_analytic_tangents_equal_forward_mode(spec: ModelSpec):
    model = built(spec)
    state = states_of(model)
    tangents = torch.randn(*state.shape, 3, dtype=torch.float64)
    following, analytic = model.tangent_step(state, tangents)
    expected, automatic = tangent_step_by_jvp(model.step, state, tangents)
    assert_close(following, expected, atol=1e-12, rtol=1e-12)
    assert_close(analytic, automatic, atol=1e-12, rtol=1e-12)


@every_model
def test_a_model_says_truly_whether_forcing_resets_it(spec: ModelSpec):
    model = built(spec)
    observation = torch.randn(3, 4, 3, dtype=torch.float64)
    one, other = (model.force(state, observation) for state in (states_of(model), 2 * states_of(model) + 1))
    assert torch.equal(one, other) == model.resets


def test_a_clipped_shallow_network_stays_bounded_where_its_diagonal_is_below_one():
    """|phi| <= |h2| elementwise, so |z| <= |W1| |h2| / (1 - max |A|) in the limit."""
    model = ShallowPLRNN(hidden=20, clipped=True).build(3, (0, 1)).double()
    with torch.no_grad():
        model.diagonal.clamp_(max=0.9)
        model.outward.mul_(30)
        state = torch.full((2, 4, 3), 1e3, dtype=torch.float64)
        for _ in range(500):
            state = model.step(state)
        bound = (model.outward.abs() * model.threshold.mT.abs()).sum(1).amax() / 0.1
    assert state.abs().max() <= bound


def test_a_state_too_small_for_its_observables_is_refused():
    with pytest.raises(SpecError, match="2 units cannot show 3 observables"):
        PLRNN(hidden=2).build(3, (0,))


def test_a_matrix_with_nan_leaves_the_other_pseudo_inverses_alone():
    matrices = torch.randn(3, 2, 5, dtype=torch.float64)
    spoiled = matrices.clone()
    spoiled[1, 0, 0] = torch.nan
    inverses = pseudo_inverse(spoiled)
    assert inverses[1].isnan().all()
    assert_close(inverses[[0, 2]], torch.linalg.pinv(matrices[[0, 2]]))


class Plain(torch.nn.Module):
    """A stranger's model of one seed."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
        self.register_buffer("scale", torch.tensor(0.5))
        self.state_size = 3

    def step(self, state):
        return state + self.scale * self.inner(state)

    def observe(self, state):
        return state

    def force(self, state, observation):
        return observation


def test_stacked_modules_step_as_each_would_alone():
    modules = [Plain().double() for _ in range(3)]
    model = stack(modules, 3)
    state = torch.randn(3, 4, 3, dtype=torch.float64)
    assert_close(model.step(state), torch.stack([m.step(s) for m, s in zip(modules, state, strict=True)]))
    assert model.unroll(state, 6).shape == (3, 4, 6, 3)
    model.predict(state, 6)[0].square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    _, tangents = model.tangent_step(state, torch.eye(3, dtype=torch.float64).expand(3, 4, 3, 3))
    jacobian = torch.func.jacrev(modules[1].step)(state[1, 2])
    assert_close(tangents[1, 2], jacobian)


def test_a_module_without_a_needed_method_is_refused_by_name():
    with pytest.raises(PluginError, match="Linear has no method 'step'"):
        stack([torch.nn.Linear(3, 3)], 3)
