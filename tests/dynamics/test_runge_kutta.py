import math

import pytest
import torch
from torch.testing import assert_close

from chaosbench.dynamics import orbit, runge_kutta_step
from chaosbench.dynamics.runge_kutta import _TABLEAU


def logistic(state):
    """x' = x (1 - x), whose solution from x0 is x0 / (x0 + (1 - x0) exp(-t))."""
    return state * (1 - state)


def logistic_error(dt: float) -> float:
    start = torch.tensor([0.01], dtype=torch.float64)
    end = orbit(lambda state: runge_kutta_step(logistic, state, dt), start, steps=round(8 / dt))[-1]
    return abs(float(end) - 0.01 / (0.01 + 0.99 * math.exp(-8)))


def test_the_weights_of_a_step_sum_to_one():
    """A consistent method requires it; decimal coefficients of 18 digits sum to one up to rounding."""
    assert sum(_TABLEAU[-1].values()) == pytest.approx(1, abs=1e-14)


def test_the_weights_satisfy_the_quadrature_conditions_up_to_order_eight():
    """The conditions are sum b_i c_i^(k-1) = 1/k, where c_i are the row sums."""
    nodes = [sum(row.values()) for row in _TABLEAU[:-1]]
    for order in range(1, 9):
        moment = sum(weight * nodes[stage] ** (order - 1) for stage, weight in _TABLEAU[-1].items())
        assert moment == pytest.approx(1 / order, abs=1e-13)


def test_the_error_falls_by_two_to_the_eighth_when_the_step_is_halved():
    """The global error is of order dt^8; the next order's share is a few per cent at these steps."""
    assert math.log2(logistic_error(1.0) / logistic_error(0.5)) == pytest.approx(8, abs=0.5)


def test_a_step_can_be_differentiated_and_mapped():
    """For x' = x a step multiplies the state by the stability polynomial, which is therefore its derivative."""
    start = torch.tensor([[1.0], [2.0]], dtype=torch.float64)

    def step(state):
        return runge_kutta_step(lambda z: z, state, 0.1)

    expected = torch.full((2, 1), math.exp(0.1), dtype=torch.float64)
    forward = torch.func.jvp(step, (start,), (torch.ones_like(start),))[1]
    assert_close(forward, expected, atol=1e-13, rtol=0)
    assert_close(torch.func.vmap(torch.func.jacrev(step))(start)[..., 0], expected, atol=1e-13, rtol=0)
