"""The long expressive memory and the liquid time-constant network against loops over their formulas."""

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch.testing import assert_close

from chaosbench.models import LEM, LiquidTimeConstant

SEEDS = (0, 5)


def ready(model):
    """Convert to float64 and make all parameters nonzero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    return model.double()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weights_of(model, k: int) -> dict[str, np.ndarray]:
    return {name: parameter[k].detach().numpy() for name, parameter in model.named_parameters()}


def test_the_lem_equals_its_formula():
    model = ready(LEM(hidden=4, dt=0.7).build(2, SEEDS))
    state = torch.randn(2, 3, model.state_size, dtype=torch.float64)
    stepped = model.step(state).detach().numpy()
    for k in range(2):
        w = weights_of(model, k)
        W1, W2, Wz = np.split(w["weight"], 3)
        V1, V2, Vz, Vy = np.split(w["drive"], 4)
        b1, b2, bz, by = np.split(w["bias"][0], 4)
        for row, actual in zip(state[k].numpy(), stepped[k], strict=True):
            y, z, x = np.split(row, [4, 8])
            a = 0.7 * sigmoid(W1 @ y + V1 @ x + b1)
            e = 0.7 * sigmoid(W2 @ y + V2 @ x + b2)
            z = (1 - a) * z + a * np.tanh(Wz @ y + Vz @ x + bz)
            y = (1 - e) * y + e * np.tanh(w["upward"] @ z + Vy @ x + by)
            output = w["readout.weight"] @ y + w["readout.bias"][0]
            np.testing.assert_allclose(actual, np.concatenate([y, z, output]), rtol=1e-12, atol=1e-13)


def test_units_of_a_lem_stay_below_one():
    """With dt <= 1 each new entry lies between the old entry and a tanh."""
    model = ready(LEM(hidden=4).build(2, SEEDS))
    state = 2 * torch.rand(2, 50, model.state_size, dtype=torch.float64) - 1
    assert model.unroll(state, 30)[..., :8].abs().max() <= 1


def test_the_liquid_network_equals_its_formula():
    model = ready(LiquidTimeConstant(hidden=4, dt=0.9, unfolds=3).build(2, SEEDS))
    state = torch.randn(2, 3, model.state_size, dtype=torch.float64)
    stepped = model.step(state).detach().numpy()
    for k in range(2):
        w = weights_of(model, k)
        tau, A = np.exp(-w["log_rate"][0]), w["target"][0]
        for row, actual in zip(state[k].numpy(), stepped[k], strict=True):
            h, x = np.split(row, [4])
            for _ in range(3):
                f = sigmoid(w["weight"] @ h + w["drive"] @ x + w["bias"][0])
                h = (h + 0.3 * f * A) / (1 + 0.3 * (1 / tau + f))
            output = w["readout.weight"] @ h + w["readout.bias"][0]
            np.testing.assert_allclose(actual, np.concatenate([h, output]), rtol=1e-12, atol=1e-13)


def test_many_fused_steps_solve_the_differential_equation_of_the_liquid_network():
    """The fused method is of first order: 4,000 steps within dt = 1 err by some 1e-4."""
    model = ready(LiquidTimeConstant(hidden=3, unfolds=4_000).build(1, (0,)))
    state, w = torch.randn(1, 1, 4, dtype=torch.float64), weights_of(model, 0)
    h, x = np.split(state[0, 0].numpy(), [3])

    def field(_, h):
        f = sigmoid(w["weight"] @ h + w["drive"] @ x + w["bias"][0])
        return -(np.exp(w["log_rate"][0]) + f) * h + f * w["target"][0]

    solution = solve_ivp(field, (0, 1), h, rtol=1e-9, atol=1e-9).y[:, -1]
    with torch.no_grad():
        assert_close(model.step(state)[0, 0, :3], torch.from_numpy(solution), atol=1e-3, rtol=0)


def test_a_liquid_unit_stays_between_zero_and_its_target():
    """For any input, each fused step is a mean of h, A and 0 with positive weights."""
    model = ready(LiquidTimeConstant(hidden=4).build(2, SEEDS))
    with torch.no_grad():
        model.drive.mul_(50)
        hidden_state = model.unroll(torch.zeros(2, 6, model.state_size, dtype=torch.float64), 40)[..., :4]
        target = model.target.unsqueeze(1)
    assert bool((hidden_state <= target.clamp(min=0) + 1e-12).all())
    assert bool((hidden_state >= target.clamp(max=0) - 1e-12).all())
