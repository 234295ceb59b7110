import math

import pytest
import torch
from torch.testing import assert_close

from chaosbench.dynamics import exponential_step, exponential_weights


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_a_linear_equation_is_solved_exactly():
    linear = double(-1e4, -3.0, 0.0, 0.5)
    stepped = exponential_step(torch.zeros_like, double(1.0, 2.0, 3.0, 4.0), exponential_weights(linear, 0.1))
    assert_close(stepped, double(1.0, 2.0, 3.0, 4.0) * (0.1 * linear).exp(), atol=1e-15, rtol=1e-14)


def test_a_constant_force_is_integrated_exactly():
    """The solution of z' = L z + 1 from 0 is (exp(L dt) - 1) / L, and dt where L = 0."""
    linear = double(-1e3, -1.0, -1e-9, 0.0, 2.0)
    stepped = exponential_step(torch.ones_like, torch.zeros_like(linear), exponential_weights(linear, 0.25))
    expected = double(*((math.expm1(0.25 * value) / value) if value else 0.25 for value in linear.tolist()))
    assert_close(stepped, expected, atol=1e-14, rtol=1e-13)


def test_without_a_linear_part_the_step_is_that_of_the_classical_runge_kutta_method():
    def field(z):
        return z.sin() + z * z / 5

    z, dt = double(0.3, 1.2), 0.2
    k1 = field(z)
    k2 = field(z + dt / 2 * k1)
    k3 = field(z + dt / 2 * k2)
    k4 = field(z + dt * k3)
    classical = z + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    stepped = exponential_step(field, z, exponential_weights(torch.zeros(2, dtype=torch.float64), dt))
    assert_close(stepped, classical, atol=1e-14, rtol=0)


@pytest.mark.parametrize("rate", [-1.0, -8.0])
def test_the_error_falls_with_the_fourth_power_of_the_step(rate):
    """The Bernoulli equation z' = rate z + z^2 has 1 / z = (1 / z_0 + 1 / rate) exp(-rate t) - 1 / rate."""
    exact = 1 / ((1 / 0.5 + 1 / rate) * math.exp(-rate) - 1 / rate)

    def error(steps):
        weights, z = exponential_weights(double(rate), 1 / steps), double(0.5)
        for _ in range(steps):
            z = exponential_step(torch.square, z, weights)
        return abs(float(z) - exact)

    assert 11 < error(8) / error(16) < 24
