"""Properties that all built-in models share."""

import pytest
import torch
from torch.testing import assert_close

from chaosbench.dynamics import tangent_step_by_jvp
from chaosbench.errors import PluginError, SpecError
from chaosbench.models import (
    GRU,
    LEM,
    LSTM,
    PLRNN,
    RNN,
    AlmostLinearRNN,
    CoRNN,
    DendriticPLRNN,
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
from chaosbench.testing import check_model

SPECS = [
    RNN(hidden=7),
    RNN(hidden=7, form="closed_loop"),
    GRU(hidden=6),
    GRU(hidden=6, form="closed_loop"),
    LSTM(hidden=6),
    LSTM(hidden=6, form="closed_loop"),
    PLRNN(hidden=7),
    PLRNN(hidden=7, readout="identity"),
    PLRNN(hidden=7, readout="affine", centred=True),
    ShallowPLRNN(hidden=9),
    ShallowPLRNN(hidden=9, clipped=True),
    ShallowPLRNN(hidden=9, states=5, readout="linear"),
    ShallowPLRNN(hidden=9, states=5),
    DendriticPLRNN(hidden=6, bases=4),
    DendriticPLRNN(hidden=6, bases=4, clipped=False, readout="affine"),
    AlmostLinearRNN(hidden=6),
    AlmostLinearRNN(hidden=6, rectified=6, readout="linear"),
    NeuralODE(hidden=6),
    NeuralODE(hidden=6, layers=1, substeps=2),
    CoRNN(hidden=6),
    UnICORNN(hidden=6),
    UnICORNN(hidden=6, layers=1),
    LinOSS(hidden=6, features=4),
    LinOSS(hidden=6, features=4, scheme="implicit_explicit"),
    OrthogonalRNN(hidden=6, negative=3),
    OrthogonalRNN(hidden=7, negative=0),
    LEM(hidden=6),
    LiquidTimeConstant(hidden=6),
]
every_model = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label)


def built(spec: ModelSpec, seeds: tuple[int, ...] = (0, 1, 2)) -> Forecaster:
    """Build the model in float64, with nonzero biases."""
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
@pytest.mark.parametrize("dimension", [1, 3])
def test_every_model_fulfils_its_contract(spec: ModelSpec, dimension: int):
    check_model(spec, dimension)


@every_model
def test_different_seeds_have_different_weights(spec: ModelSpec):
    model = spec.build(3, (0, 1))
    assert any(not torch.equal(parameter[0], parameter[1]) for parameter in model.parameters())


@every_model
def test_analytic_tangents_equal_forward_mode_with_nonzero_biases(spec: ModelSpec):
    """Many biases start at zero, which would hide a missing term."""
    model = built(spec)
    state = states_of(model)
    tangents = torch.randn(*state.shape, 3, dtype=torch.float64)
    following, analytic = model.tangent_step(state, tangents)
    expected, automatic = tangent_step_by_jvp(model.step, state, tangents)
    assert_close(following, expected, atol=1e-12, rtol=1e-12)
    assert_close(analytic, automatic, atol=1e-12, rtol=1e-12)


def test_a_clipped_shallow_network_stays_bounded_if_its_diagonal_is_below_one():
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


def test_a_state_smaller_than_its_observables_is_rejected():
    with pytest.raises(SpecError, match=r"2 units .*3 observables"):
        PLRNN(hidden=2).build(3, (0,))


def test_an_affine_read_out_subtracts_its_offset_before_it_inverts():
    model = PLRNN(hidden=7, readout="affine").build(3, (0, 1)).double()
    with torch.no_grad():
        model.readout.bias.normal_()
    x = torch.randn(2, 4, 3, dtype=torch.float64)
    expected = torch.stack([torch.linalg.pinv(model.readout.weight[k]) for k in range(2)])
    assert_close(model.initial_state(x.unsqueeze(2)), (x - model.readout.bias) @ expected.mT)
    assert_close(model.observe(model.initial_state(x.unsqueeze(2))), x)


class Plain(torch.nn.Module):
    """A plain module of one seed."""

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


def test_stacked_modules_step_as_each_does_alone():
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


def test_a_module_without_a_required_method_is_rejected_with_its_name():
    with pytest.raises(PluginError, match=r"Linear .*'step'"):
        stack([torch.nn.Linear(3, 3)], 3)
