import math

import pytest
import torch
from solvable_maps import Linear, lozi, recurrent, states, tent
from torch.testing import assert_close

from chaosbench.dynamics import jacobian_growth, jacobian_sizes, orbit


def test_growth_of_a_linear_map_is_the_norm_of_its_matrix_powers():
    """The only errors are those of rounding; 70 horizons are more than one chunk of norms."""
    W = states(4, 4) / 2
    growth = jacobian_growth(Linear(W), states(2, 4), steps=70)
    norms = [torch.linalg.matrix_norm(torch.linalg.matrix_power(W, t), ord=2).log() for t in range(1, 71)]
    assert_close(growth, torch.stack(norms).expand(2, 70), atol=1e-12, rtol=0)


def test_growth_of_the_tent_map_is_its_slope_at_every_step():
    growth = jacobian_growth(tent(1.9), states(3, 1) / 10, steps=100)
    expected = torch.arange(1, 101, dtype=torch.float64) * math.log(1.9)
    assert_close(growth, expected.expand(3, 100), atol=1e-11, rtol=0)


def test_gradients_of_a_rotation_neither_grow_nor_vanish():
    rotation = torch.linalg.qr(states(4, 4)).Q
    growth = jacobian_growth(Linear(rotation), states(2, 4), steps=100)
    assert_close(growth, torch.zeros(2, 100, dtype=torch.float64), atol=1e-13, rtol=0)


def test_growth_equals_the_norm_of_the_jacobian_by_autograd():
    networks, start = recurrent(), states(2, 3, 5)
    growth = jacobian_growth(networks, start, steps=6)
    jacobian = torch.autograd.functional.jacobian(lambda z: orbit(networks, z, steps=6), start)
    expected = torch.linalg.matrix_norm(torch.einsum("kbtskbr->kbtsr", jacobian), ord=2).log()
    assert_close(growth, expected)


@pytest.mark.parametrize("slope", [1.9, 0.5])
def test_growth_stays_finite_over_ten_thousand_steps_in_single_precision(slope):
    """ln 1.9 * 10,000 = 6,419, far beyond single precision's 88; each factor has a rounding error of 1e-7."""
    growth = jacobian_growth(tent(slope, torch.float32), states(2, 1, dtype=torch.float32) / 10, steps=10_000)
    assert growth.dtype == torch.float32
    assert_close(growth[:, -1], torch.full((2,), 10_000 * math.log(slope)), rtol=1e-6, atol=0)


def test_growth_along_few_directions_of_a_large_state_has_the_slope_of_the_whole_jacobian():
    """In a diagonal map with one leading direction, the others shrink to less than e^-40 of it within 200 steps."""
    rates = torch.linspace(0.5, 1.1, 200, dtype=torch.float64)
    rates[-1] = 1.4

    def step(z):
        return rates * z

    start = states(2, 200)
    few, whole = (jacobian_growth(step, start, steps=400, horizons=(200, 400), directions=n) for n in (16, None))
    assert_close(few.diff(dim=-1), torch.full((2, 1), 200 * math.log(1.4), dtype=torch.float64), atol=1e-9, rtol=0)
    assert bool((few < whole).all())
    assert float((whole - few).max()) < math.log(200 / 16)  # on average over random directions, half of this bound


def test_a_product_of_zero_has_minus_infinite_growth():
    growth = jacobian_growth(lambda z: z.clamp(min=0), torch.tensor([[-1.0, -2.0], [1.0, -2.0]]), steps=3)
    assert torch.equal(growth[0], torch.full((3,), -torch.inf))
    assert_close(growth[1], torch.zeros(3))


def test_an_orbit_that_blows_up_does_not_change_a_bit_of_the_others():
    start = states(3, 1)
    lost = start.clone()
    lost[1] = 1e200

    def squared(z):
        return torch.where(z.abs() > 1e3, z * z, torch.tanh(z))

    growth, calm = (jacobian_growth(squared, members, steps=5) for members in (lost, start))
    assert torch.equal(growth[[0, 2]], calm[[0, 2]])
    assert bool(growth[1].isnan().all())


def test_functions_and_analytic_tangents_agree_on_any_leading_axes():
    network, start = lozi(), states(2, 1, 3, 2) / 10
    growth = jacobian_growth(network, start, steps=20)
    assert growth.shape == (2, 1, 3, 20)
    assert_close(jacobian_growth(network.step, start, steps=20), growth)
    assert_close(jacobian_growth(network, start[0, 0, 0], steps=20), growth[0, 0, 0])


class Shift:
    """A state that is moved on by one entry and shrinks to a half: every singular value of the Jacobian is 1/2."""

    def step(self, state):
        return 0.5 * state.roll(1, dims=-1)

    def tangent_step(self, state, tangents):
        return self.step(state), 0.5 * tangents.roll(1, dims=-2)


@pytest.mark.parametrize(("size", "expected"), [(8, 0.5), (50_000, torch.nan)])
def test_jacobians_of_states_that_are_too_large_to_decompose_have_unknown_sizes(size, expected):
    """A Jacobian of 50,000 rows would take 20 GB."""
    found = jacobian_sizes(Shift(), torch.ones(2, 3, size))
    for values in found:
        assert_close(values, torch.full((2, 3), expected, dtype=torch.float64), equal_nan=True)
