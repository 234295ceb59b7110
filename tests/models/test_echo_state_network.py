"""The echo state network against loops in numpy, its Jacobian in closed form, and the exponents of Lorenz-63."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.dynamics import lyapunov_spectrum
from chaosbench.models import EchoStateNetwork
from chaosbench.models.echo_state_network import ClosedLoopEchoStateNetwork
from chaosbench.systems import Lorenz63
from chaosbench.testing import check_model
from chaosbench.trainers import Ridge

SEEDS = (2, 5)


@pytest.fixture(scope="module")
def lorenz() -> Dataset:
    spec = DataSpec(train_orbits=8, train_length=1_000, validation_orbits=0, test_orbits=2, test_length=600)
    return simulate(Lorenz63(), spec)


@pytest.fixture(scope="module")
def trained(lorenz: Dataset) -> ClosedLoopEchoStateNetwork:
    model = EchoStateNetwork(hidden=120, leak=0.9).build(3, SEEDS).double()
    for _ in Ridge(noise=1e-3).fit(model, lorenz, SEEDS):
        pass
    assert isinstance(model, ClosedLoopEchoStateNetwork)
    return model


def driven(model: ClosedLoopEchoStateNetwork, observations: np.ndarray, seed: int) -> np.ndarray:
    """Drive the reservoir by an orbit, `(T, D) -> (T, M)`, with the formula in numpy."""
    w, v, b = (getattr(model, name)[seed].numpy() for name in ("weight", "drive", "bias"))
    r, states = np.zeros(len(w)), []
    for x in observations:
        r = (1 - model.leak) * r + model.leak * np.tanh(w @ r + v @ x + b[0])
        states.append(r)
    return np.stack(states)


@pytest.mark.parametrize("leak", [1.0, 0.3])
@pytest.mark.parametrize("dimension", [1, 3])
def test_it_fulfils_the_contract_of_a_model(leak: float, dimension: int):
    check_model(EchoStateNetwork(hidden=25, leak=leak), dimension, trainer=Ridge(warm_up=20))


def test_reservoirs_are_sparse_differ_and_have_the_given_spectral_radius():
    """The weights are scaled in double and stored in single precision, which limits the accuracy of the radius."""
    model = EchoStateNetwork(hidden=80, degree=7, spectral_radius=0.9, input_scale=0.2, bias_scale=0.5).build(3, SEEDS)
    for weight in model.weight.numpy():
        assert (np.count_nonzero(weight, axis=1) == 7).all()
        assert abs(np.linalg.eigvals(weight.astype(float))).max() == pytest.approx(0.9, rel=1e-5)
    assert 0.19 < model.drive.abs().max() <= 0.2
    assert 0.45 < model.bias.abs().max() <= 0.5
    assert not torch.equal(model.weight[0], model.weight[1])


def test_the_driven_reservoir_equals_its_formula(trained: ClosedLoopEchoStateNetwork, lorenz: Dataset):
    state = torch.zeros(2, 1, trained.state_size, dtype=torch.float64)
    for observation in lorenz.train[0, :50]:
        state, response = trained.respond(state, observation.expand(2, 1, -1))
    for seed in range(2):
        assert_close(
            response[seed, 0].numpy(), driven(trained, lorenz.train[0, :50].numpy(), seed)[-1], atol=1e-12, rtol=0
        )


def test_the_closed_loop_has_its_jacobian_in_closed_form(
    trained: ClosedLoopEchoStateNetwork,
):
    """The Jacobian of r is (1 - a) + a diag(1 - tanh²) (W + V C)."""
    state = trained.step(torch.randn(2, 4, trained.state_size, dtype=torch.float64))  # one step makes x = C r + d
    a, m = trained.leak, trained.hidden_state_size
    tangents = torch.randn(2, 4, m, 5, dtype=torch.float64)
    both = torch.cat([tangents, trained.readout.weight[:, None] @ tangents], dim=-2)
    following, carried = trained.tangent_step(state, both)
    closed = trained.weight + trained.drive @ trained.readout.weight
    active = (following[..., :m] - (1 - a) * state[..., :m]) / a
    expected = (1 - a) * tangents + a * (1 - active.square()).unsqueeze(-1) * (closed[:, None] @ tangents)
    assert_close(carried[..., :m, :], expected, atol=1e-12, rtol=1e-10)


def test_a_history_drives_an_empty_reservoir_as_in_training(trained: ClosedLoopEchoStateNetwork, lorenz: Dataset):
    history = lorenz.test[0, :80]
    start = trained.initial_state(history.expand(2, 1, -1, -1))
    for seed in range(2):
        expected = driven(trained, history[:-1].numpy(), seed)[-1]
        assert_close(start[seed, 0, : trained.hidden_state_size].numpy(), expected, atol=1e-12, rtol=0)


def test_a_long_history_leads_to_one_state_whatever_came_before(trained: ClosedLoopEchoStateNetwork, lorenz: Dataset):
    """The echo state property: two reservoirs that are driven alike forget their difference."""
    history = lorenz.test[0, :400].expand(2, 1, -1, -1)
    difference = trained.initial_state(history) - trained.initial_state(history[:, :, 200:])
    assert difference.abs().max() < 1e-9


def test_the_trained_model_has_the_exponents_of_the_system(trained: ClosedLoopEchoStateNetwork, lorenz: Dataset):
    """Lorenz-63: 0.9056 and 0 (Sprott 2003). The mean over 8 orbits of 20 Lyapunov times has a standard error of about
    0.04, which is estimated here; four standard errors are allowed. The zero exponent converges faster."""
    start = trained.initial_state(lorenz.train[:, -200:].expand(2, -1, -1, -1).contiguous())
    spectra = lyapunov_spectrum(trained, start, steps=2_000, transient=200, every=5, exponents=2, dt=0.01)
    error = spectra[..., 0].std(dim=1) / len(lorenz.train) ** 0.5
    assert ((spectra[..., 0].mean(dim=1) - 0.9056).abs() < 4 * error).all()
    assert (4 * error < 0.3).all()
    assert (spectra[..., 1].mean(dim=1).abs() < 0.1).all()
