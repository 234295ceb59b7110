"""The neural differential equation against closed forms and another integrator."""

from math import exp

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch.testing import assert_close

from chaosbench.dynamics import lyapunov_spectrum
from chaosbench.models import NeuralODE
from chaosbench.models.neural_ode import runge_kutta_4


def test_the_vector_field_equals_torchs_perceptron():
    model = NeuralODE(hidden=7).build(3, (0, 4)).double()
    state = torch.randn(2, 5, 3, dtype=torch.float64)
    for k in range(2):
        layers = []
        for weight, bias in zip(model.weights, model.biases, strict=True):
            linear = torch.nn.Linear(*weight[k].shape).double()
            linear.weight.data, linear.bias.data = weight[k].T, bias[k, 0]
            layers += [linear, torch.nn.GELU()]
        plain = torch.nn.Sequential(*layers[:-1])
        assert_close(model.vector_field(state)[k], plain(state[k]))


def test_the_method_is_of_fourth_order():
    """For x' = x one step is exp(dt) to the fourth power of dt: 1 + h + h²/2 + h³/6 + h⁴/24 exactly."""
    (stepped,) = runge_kutta_4(lambda point: point, (torch.ones(1, dtype=torch.float64),), 0.3)
    assert_close(stepped.item(), 1 + 0.3 + 0.045 + 0.027 / 6 + 0.0081 / 24, atol=1e-15, rtol=0)
    assert abs(stepped.item() - exp(0.3)) < 0.3**5 / 100


def test_a_step_equals_the_flow_of_the_field():
    """scipy's eighth-order integrator at 1e-11; 20 fourth-order steps in dt = 0.5 err by 1e-7, 100 by 1e-7 / 5^4."""
    model = NeuralODE(hidden=8, dt=0.5, substeps=100).build(2, (0,)).double()
    with torch.no_grad():
        for weight in model.weights:
            weight.mul_(3)
        state = torch.tensor([[[0.3, -0.7]]], dtype=torch.float64)

        def field(_, x):
            return model.vector_field(torch.from_numpy(np.array(x))[None, None])[0, 0].numpy()

        solution = solve_ivp(field, (0, 0.5), state[0, 0].numpy(), method="DOP853", rtol=1e-11, atol=1e-11)
        assert_close(model.step(state)[0, 0], torch.from_numpy(solution.y[:, -1]), atol=1e-9, rtol=0)


@pytest.mark.parametrize("substeps", [1, 5])
def test_a_linear_field_has_the_exponents_of_its_matrix(substeps: int):
    """GELU is the identity far right of zero, so f(x) = -x / 2; a Runge-Kutta step has a known factor."""
    model = NeuralODE(hidden=2, layers=1, dt=0.2, substeps=substeps).build(2, (0,)).double()
    with torch.no_grad():
        model.weights[0].copy_(torch.eye(2))
        model.biases[0].fill_(50.0)
        model.weights[1].copy_(-0.5 * torch.eye(2))
        model.biases[1].fill_(25.0)
    h = -0.5 * 0.2 / substeps
    factor = (1 + h + h**2 / 2 + h**3 / 6 + h**4 / 24) ** substeps
    spectrum = lyapunov_spectrum(model, torch.rand(1, 3, 2, dtype=torch.float64), steps=50)
    assert_close(spectrum.exp(), torch.full_like(spectrum, factor), atol=1e-12, rtol=0)
