"""The PLRNNs: their map against loops, and networks with known exponents."""

from math import log

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from chaosbench.dynamics import lyapunov_spectrum
from chaosbench.models import PLRNN, AlmostLinearRNN, DendriticPLRNN, Forecaster, ShallowPLRNN
from chaosbench.models.piecewise_linear import stable_matrix
from chaosbench.systems import Lozi, Tent

SEEDS = (0, 5)


def ready(model: Forecaster) -> Forecaster:
    """Convert to float64 and make all parameters nonzero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    return model.double()


def check(model: Forecaster, formula, weights: list[torch.Tensor]) -> None:
    """Compare the step of every seed and state with `formula(state, *weights)` in numpy."""
    state = torch.randn(len(SEEDS), 5, model.state_size, dtype=torch.float64)
    stepped = model.step(state).detach()
    for k in range(len(SEEDS)):
        numbers = [weight[k].detach().numpy() for weight in weights]
        for b in range(5):
            expected = formula(state[k, b].numpy(), *numbers)
            np.testing.assert_allclose(stepped[k, b].numpy(), expected, rtol=1e-12, atol=1e-13)


def relu(x):
    return np.maximum(x, 0)


@pytest.mark.parametrize("centred", [False, True])
def test_the_plrnn_equals_its_formula(centred: bool):
    model = ready(PLRNN(hidden=6, centred=centred).build(2, SEEDS))

    def formula(z, weight, h):
        A, W = np.diag(np.diag(weight)), weight - np.diag(np.diag(weight))
        return A @ z + W @ relu(z - z.mean() if centred else z) + h[0]

    check(model, formula, [model.weight, model.bias])


@pytest.mark.parametrize("clipped", [False, True])
def test_the_dendritic_network_equals_its_formula(clipped: bool):
    model = ready(DendriticPLRNN(hidden=6, bases=4, clipped=clipped).build(2, SEEDS))

    def formula(z, weight, h, H, alpha):
        A, W = np.diag(np.diag(weight)), weight - np.diag(np.diag(weight))
        phi = np.zeros(6)
        for b in range(4):
            phi += alpha[b, 0] * (relu(z - H[0, :, b]) - clipped * relu(z))
        return A @ z + W @ phi + h[0]

    check(model, formula, [model.weight, model.bias, model.thresholds, model.mixture])


@pytest.mark.parametrize("clipped", [False, True])
def test_the_shallow_network_equals_its_formula(clipped: bool):
    model = ready(ShallowPLRNN(hidden=9, states=4, clipped=clipped).build(2, SEEDS))

    def formula(z, A, W1, W2, h1, h2):
        return A[0] * z + W1.T @ (relu(W2.T @ z + h2[0]) - clipped * relu(W2.T @ z)) + h1[0]

    check(model, formula, [model.diagonal, model.outward, model.inward, model.bias, model.threshold])


@pytest.mark.parametrize("rectified", [0, 2, 6])
def test_the_almost_linear_network_equals_its_formula(rectified: int):
    model = ready(AlmostLinearRNN(hidden=6, rectified=rectified).build(2, SEEDS))

    def formula(z, A, W, h):
        phi = np.concatenate([z[: 6 - rectified], relu(z[6 - rectified :])])
        return A[0] * z + W @ phi + h[0]

    check(model, formula, [model.diagonal, model.weight, model.bias])


def test_a_dendritic_network_is_a_shallow_network_with_a_hidden_unit_per_basis():
    """W1 = W x alpha, W2 = 1 x 1, h2 = -H: both are the same map."""
    dendritic = ready(DendriticPLRNN(hidden=4, bases=3).build(2, SEEDS))
    shallow = ShallowPLRNN(hidden=12, states=4, clipped=True).build(2, SEEDS).double()
    c = dendritic.coefficients()
    with torch.no_grad():
        shallow.diagonal.copy_(c.diagonal)
        shallow.outward.copy_(
            torch.stack([torch.kron(w.contiguous(), a) for w, a in zip(c.outward, c.mixture, strict=True)])
        )
        shallow.inward.copy_(torch.eye(4).repeat_interleave(3, dim=1).expand(2, -1, -1))
        shallow.bias.copy_(c.bias)
        shallow.threshold.copy_(c.threshold.flatten(2))
    state = torch.randn(2, 5, 4, dtype=torch.float64)
    assert_close(dendritic.step(state), shallow.step(state))


def test_initial_weights_have_spectral_radius_one():
    """K / rho(K) with K positive definite: the largest eigenvalue is 1, and all are positive."""
    eigenvalues = torch.linalg.eigvalsh(stable_matrix(12, torch.Generator().manual_seed(0)).double())
    assert_close(eigenvalues.max().item(), 1.0, atol=1e-6, rtol=0)
    assert eigenvalues.min() > 0


def test_a_clipped_dendritic_network_stays_bounded_if_its_diagonal_is_below_one():
    """|relu(z - H) - relu(z)| <= |H|, so |z| <= (|W| sum |alpha| |H| + |h|) / (1 - max |A|) in the limit."""
    model = ready(DendriticPLRNN(hidden=5, bases=4).build(3, SEEDS))
    with torch.no_grad():
        model.weight.mul_(20)
        model.weight.diagonal(dim1=-2, dim2=-1).fill_(0.9)
        model.bias.fill_(3.0)
        phi = (model.thresholds[:, 0].abs() * model.mixture.mT.abs()).sum(dim=-1, keepdim=True)
        off_diagonal = (model.weight * model.off_diagonal).abs()
        bound = ((off_diagonal @ phi).amax() + 3.0) / 0.1
        state = torch.full((2, 4, 5), 1e4, dtype=torch.float64)
        last = model.unroll(state, 500)[..., -1, :]
    assert last.abs().max() <= bound + 1e-9


def shallow(A, W1, W2, h1) -> Forecaster:
    """Build a shallow network of one seed with these weights and h2 = 0."""
    A, W1, W2, h1 = (torch.tensor(weight, dtype=torch.float64) for weight in (A, W1, W2, h1))
    model = ShallowPLRNN(hidden=len(W2)).build(len(A), (0,)).double()
    with torch.no_grad():
        for parameter, value in (
            (model.diagonal, A),
            (model.outward, W1.T),
            (model.inward, W2.T),
            (model.bias, h1),
            (model.threshold, torch.zeros(len(W2))),
        ):
            parameter.copy_(value.expand_as(parameter))
    return model


def test_the_tent_map_is_a_shallow_network_whose_exponent_is_ln_mu():
    """z' = mu z - 2 mu relu(z) + (mu - 1) / 2 at x = z + 1/2; |J| = mu everywhere, so all orbits agree."""
    mu = 1.9
    model = shallow([mu], [[-2 * mu]], [[1.0]], [(mu - 1) / 2])
    x = torch.rand(1, 6, 1, dtype=torch.float64)
    assert_close(model.step(x - 0.5).detach() + 0.5, Tent(mu=mu).step(x), atol=1e-14, rtol=0)
    spectrum = lyapunov_spectrum(model, x - 0.5, steps=200)
    assert_close(spectrum, torch.full_like(spectrum, log(mu)), atol=1e-12, rtol=0)


def test_the_lozi_map_is_a_shallow_network_with_the_exponents_of_the_map():
    """Published: 0.4704, and the sum is ln 0.5. The mean of 64 orbits of 2,000 steps has an error of about 0.001."""
    W1 = [[-1.7, -1.7, 1.0, -1.0], [0.5, -0.5, 0.0, 0.0]]
    model = shallow([0.0, 0.0], W1, [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [1.0, 0.0])
    states = Lozi().initial_state(64, torch.Generator().manual_seed(0))[None]
    assert_close(model.step(states).detach(), Lozi().step(states), atol=1e-13, rtol=0)
    spectrum = lyapunov_spectrum(model, states, steps=2_000, transient=100).mean(dim=1)[0]
    assert abs(spectrum[0].item() - 0.4704) < 0.003
    assert_close(spectrum.sum().item(), log(0.5), atol=1e-9, rtol=0)
