"""Oscillatory networks against loops over their formulas and against theorems on their recurrence."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from chaosbench.dynamics import lyapunov_spectrum
from chaosbench.models import CoRNN, LinOSS, UnICORNN
from chaosbench.models.closed_loop import ClosedLoopNetwork

SEEDS = (0, 5)


def ready(model) -> ClosedLoopNetwork:
    """Convert to float64 and make all parameters nonzero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    return model.double()


def states_of(model: ClosedLoopNetwork, batch: int = 3) -> Tensor:
    return torch.randn(model.seeds, batch, model.state_size, dtype=torch.float64)


def recurrence_jacobian(model: ClosedLoopNetwork, state: Tensor) -> Tensor:
    """Return dh' / dh of the hidden state h at fixed input, `(K, B, S - D, S - D)`."""
    tangents = torch.eye(model.state_size, dtype=torch.float64)[:, : model.hidden_state_size]
    _, carried = model.tangent_step(state, tangents.expand(*state.shape, model.hidden_state_size))
    return carried[..., : model.hidden_state_size, :].detach()


def numbers(*weights: Tensor) -> list[np.ndarray]:
    return [weight.detach().numpy() for weight in weights]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_coupled_oscillators_equal_their_formula():
    model = ready(CoRNN(hidden=4, dt=0.3, gamma=1.5, epsilon=0.7).build(2, SEEDS))
    state = states_of(model)
    stepped = model.step(state).detach().numpy()
    for k in range(2):
        weight, V, b, C, d = numbers(
            model.weight[k], model.drive[k], model.bias[k, 0], model.readout.weight[k], model.readout.bias[k, 0]
        )
        W, U = weight[:, :4], weight[:, 4:]
        for row, actual in zip(state[k].numpy(), stepped[k], strict=True):
            y, z, x = np.split(row, [4, 8])
            z = z + 0.3 * (np.tanh(W @ y + U @ z + V @ x + b) - 1.5 * y - 0.7 * z)
            y = y + 0.3 * z
            np.testing.assert_allclose(actual, np.concatenate([y, z, C @ y + d]), rtol=1e-12, atol=1e-13)


def test_without_coupling_of_velocities_damping_alone_contracts_volume():
    """Without U the map is a kick and a drift: det J = (1 - dt epsilon)^M, whatever W, the input and the state."""
    model = ready(CoRNN(hidden=5, dt=0.1, epsilon=3.0).build(2, SEEDS))
    with torch.no_grad():
        model.weight[..., 5:] = 0
    volume = torch.linalg.det(recurrence_jacobian(model, states_of(model)))
    assert_close(volume, torch.full_like(volume, (1 - 0.1 * 3.0) ** 5), atol=0, rtol=1e-10)


def test_weakly_coupled_oscillators_at_rest_are_stable():
    """Weak coupling and strong damping: every eigenvalue of the linear part lies inside the unit circle."""
    model = CoRNN(hidden=6).build(2, SEEDS).double()
    with torch.no_grad():
        model.weight.mul_(0.1)
    jacobian = recurrence_jacobian(model, torch.zeros(2, 1, model.state_size, dtype=torch.float64))
    assert torch.linalg.eigvals(jacobian).abs().max() < 1


def test_the_independent_oscillators_equal_their_formula():
    model = ready(UnICORNN(hidden=4, layers=2, dt=0.3, alpha=1.5).build(2, SEEDS))
    state = states_of(model)
    stepped = model.step(state).detach().numpy()
    for k in range(2):
        C, d = numbers(model.readout.weight[k], model.readout.bias[k, 0])
        for row, actual in zip(state[k].numpy(), stepped[k], strict=True):
            top, low, u = np.split(row, [8, 16])
            expected = []
            for layer, oscillators in enumerate((low, top)):
                drive, bias = (model.drives[0], model.biases[0]) if layer else (model.drive, model.bias)
                w, V, b, c = numbers(model.weights[layer][k, 0], drive[k], bias[k, 0], model.controls[layer][k, 0])
                y, z = np.split(oscillators, 2)
                z = z - 0.3 * sigmoid(c) * (np.tanh(w * y + V @ u + b) + 1.5 * y)
                u = y + 0.3 * sigmoid(c) * z
                expected = [u, z, *expected]
            np.testing.assert_allclose(actual, np.concatenate([*expected, C @ u + d]), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("layers", [1, 3])
def test_independent_oscillators_preserve_volume(layers: int):
    """Each layer is a kick and a drift, and layers only drive those above: det J = 1 whatever the weights."""
    model = ready(UnICORNN(hidden=4, layers=layers, dt=0.7).build(2, SEEDS))
    volume = torch.linalg.det(recurrence_jacobian(model, states_of(model)))
    assert_close(volume, torch.ones_like(volume), atol=1e-10, rtol=0)


def test_a_layer_of_independent_oscillators_is_symplectic():
    """Jᵀ Omega J = Omega with Omega = (0, 1; -1, 0)."""
    model = ready(UnICORNN(hidden=4, layers=1, dt=0.7).build(2, SEEDS))
    jacobian = recurrence_jacobian(model, states_of(model))
    identity = torch.eye(4, dtype=torch.float64)
    omega = torch.kron(torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64), identity)
    assert_close(jacobian.mT @ omega @ jacobian, omega.expand_as(jacobian), atol=1e-12, rtol=0)


def test_a_layer_of_independent_oscillators_has_its_published_inverse():
    """y = y' - g z', z = z' + g (tanh(w y + V x + b) + alpha y): the inverse that the authors use in training."""
    model = ready(UnICORNN(hidden=4, layers=1, dt=0.7).build(2, SEEDS))
    state = states_of(model)
    hidden_state, x = model.split_state(state)
    (g,) = model.derived_parameters()
    input_term = torch.einsum("kmd,kbd->kbm", model.drive, x) + model.bias
    y, z = model.advance((g,), hidden_state, input_term).chunk(2, dim=-1)
    y = y - g * z
    z = z + g * (torch.tanh(model.weights[0] * y + input_term) + model.alpha * y)
    assert_close(torch.cat([y, z], dim=-1), hidden_state, atol=1e-12, rtol=0)


@pytest.mark.parametrize("scheme", ["implicit", "implicit_explicit"])
def test_the_linear_oscillators_equal_their_formula(scheme: str):
    model = ready(LinOSS(hidden=5, features=3, scheme=scheme).build(2, SEEDS))
    state = states_of(model)
    stepped = model.step(state).detach().numpy()
    for k in range(2):
        E, e, R, r = numbers(
            model.encoder.weight[k], model.encoder.bias[k, 0], model.readout.weight[k], model.readout.bias[k, 0]
        )
        B, C, D, G, g = numbers(
            model.inward[k], model.outward[k], model.skip[k, 0], model.gate.weight[k], model.gate.bias[k, 0]
        )
        a, s = numbers(model.stiffness[k, 0], model.steps[k, 0])
        A, dt = np.diag(np.maximum(a, 0)), np.diag(sigmoid(s))
        identity = np.eye(5)
        for row, actual in zip(state[k].numpy(), stepped[k], strict=True):
            y, z, x = np.split(row, [5, 10])
            u = E @ x + e
            if scheme == "implicit":  # both unknowns at once: z' = z + dt (B u - A y'), y' = y + dt z'
                system = np.block([[identity, -dt], [dt @ A, identity]])
                y, z = np.split(np.linalg.solve(system, np.concatenate([y, z + dt @ B @ u])), 2)
            else:
                z = z + dt @ (B @ u - A @ y)
                y = y + dt @ z
            mixed = torch.nn.functional.gelu(torch.from_numpy(C @ y + D * u)).numpy()
            left, right = np.split(G @ mixed + g, 2)
            expected = np.concatenate([y, z, R @ (u + left * sigmoid(right)) + r])
            np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-12)


def test_linear_oscillators_have_eigenvalues_of_the_published_modulus():
    """Implicit: every modulus is (1 + dt² A)^(-1/2) < 1; implicit-explicit with dt² A < 4: every modulus is 1."""
    for scheme in ("implicit", "implicit_explicit"):
        model = LinOSS(hidden=5, features=3, scheme=scheme).build(2, SEEDS).double()
        moduli = torch.linalg.eigvals(recurrence_jacobian(model, states_of(model, batch=1))).abs().sort().values[:, 0]
        expected = torch.ones(2, 5, dtype=torch.float64)
        if scheme == "implicit":
            expected = (1 + torch.sigmoid(model.steps[:, 0]).square() * model.stiffness[:, 0]).rsqrt().detach()
        assert_close(moduli, expected.repeat(1, 2).sort().values, atol=1e-7, rtol=0)


def test_the_jacobian_of_linear_oscillators_does_not_depend_on_the_state():
    """Their recurrence is linear: one Jacobian for all states and inputs."""
    model = ready(LinOSS(hidden=4).build(2, SEEDS))
    jacobian = recurrence_jacobian(model, states_of(model))
    assert_close(jacobian, jacobian[:, :1].expand_as(jacobian), atol=1e-14, rtol=0)


def test_a_unicornn_without_feedback_can_be_chaotic():
    """Bounded orbits of a constant output separate exponentially: symplectic maps need not be regular."""
    model = UnICORNN(hidden=6, layers=2, dt=2.0, alpha=1.0).build(1, (0,)).double()
    with torch.no_grad():
        model.readout.weight.zero_()
        for weight in model.weights:
            weight.mul_(50)
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(1, 4, model.state_size, dtype=torch.float64, generator=generator)
    # The resolution of a regular orbit, whose tangents grow at most linearly, is ln(4,000) / 4,000 = 0.002.
    spectrum = lyapunov_spectrum(model, start, steps=4_000, transient=1_000, exponents=1)
    assert spectrum.max() > 0.02
