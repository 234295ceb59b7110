import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.integrate._ivp import dop853_coefficients
from torch.testing import assert_close

from chaosbench.dynamics import VectorField, collocation, implicit_step, integrate, tangent_step_by_jvp
from chaosbench.dynamics.integration import EXPLICIT_LIMIT
from chaosbench.dynamics.runge_kutta import _FIFTH_ERROR, _TABLEAU, _THIRD, runge_kutta_step

METHODS = ["dop853", "adaptive", "radau", "gauss"]
by_method = pytest.mark.parametrize("method", METHODS)
SPIN = torch.tensor([[-0.3, 1.2, 0.0], [-1.0, 0.1, 0.4], [0.2, 0.0, -0.8]], dtype=torch.float64)


def linear(state):
    return state @ SPIN.mT


def pendulum(state):
    """A canonical pair (angle, momentum) with H = p^2 / 2 - cos q."""
    angle, momentum = state.unbind(-1)
    return torch.stack([momentum, -angle.sin()], dim=-1)


def van_der_pol(state, mu=100.0):
    x, y = state.unbind(-1)
    return torch.stack([y, mu * (1 - x * x) * y - x], dim=-1)


def oregonator(state):
    """The model of Field & Noyes with the parameters of Hairer & Wanner 1996, section IV.10, equation 10.7."""
    x, y, z = state.unbind(-1)
    slopes = [77.27 * (y + x * (1 - 8.375e-6 * x - y)), (z - (1 + x) * y) / 77.27, 0.161 * (x - z)]
    return torch.stack(slopes, dim=-1)


def moved(value, state, dt, **options):
    return integrate(VectorField(value), state[..., None], dt, **options)[..., 0]


def states(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@by_method
def test_a_linear_flow_is_its_matrix_exponential(method):
    """Local errors are far below 1e-9 at this step, and the controlled methods keep to their tolerance."""
    start = states(4, 3)
    expected = start @ torch.linalg.matrix_exp(0.2 * SPIN).mT
    assert_close(moved(linear, start, 0.2, method=method, tolerance=1e-12), expected, atol=1e-9, rtol=0)


@by_method
def test_tangents_of_a_linear_flow_are_its_matrix_exponential(method):
    joined = torch.cat([states(4, 3)[..., None], torch.eye(3, dtype=torch.float64).expand(4, 3, 3)], dim=-1)
    carried = integrate(VectorField(linear), joined, 0.2, method=method, tolerance=1e-12)[..., 1:]
    expected = torch.linalg.matrix_exp(0.2 * SPIN)
    assert_close(carried, expected.expand(4, 3, 3), atol=1e-9, rtol=0)


@pytest.mark.parametrize(("family", "stages", "order"), [("gauss", 1, 2), ("gauss", 2, 4), ("gauss", 3, 6)])
def test_the_error_of_gauss_methods_falls_by_two_to_their_order_when_the_step_is_halved(family, stages, order):
    errors = [_logistic_error(collocation(family, stages), steps) for steps in (4, 8)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.4)


@pytest.mark.parametrize(("stages", "order"), [(1, 1), (2, 3), (3, 5)])
def test_the_error_of_radau_methods_falls_by_two_to_their_order_when_the_step_is_halved(stages, order):
    errors = [_logistic_error(collocation("radau", stages), steps) for steps in (4, 8)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.4)


def _logistic_error(rule, steps):
    """Return the error at time 2 of x' = x (1 - x) from 0.1."""
    field, joined = VectorField(lambda z: z * (1 - z)), torch.full((1, 1, 1), 0.1, dtype=torch.float64)
    for _ in range(steps):
        joined = implicit_step(field, joined, joined.new_full((1,), 2 / steps), rule).joined
    return abs(float(joined) - 0.1 / (0.1 + 0.9 * math.exp(-2)))


@pytest.mark.parametrize("stages", [2, 3, 4, 5])
@pytest.mark.parametrize(("family", "lost"), [("gauss", 0), ("radau", 1)])
def test_the_weights_integrate_polynomials_up_to_the_order_of_the_method(family, stages, lost):
    rule = collocation(family, stages)
    for order in range(1, 2 * stages - lost + 1):
        assert float(rule.weights @ rule.nodes ** (order - 1)) == pytest.approx(1 / order, abs=1e-13)


def test_the_radau_method_of_three_stages_has_the_published_coefficients():
    """Hairer & Wanner 1996, table IV.5.6; their error estimate, equation IV.8.19, is divided by gamma."""
    rule, root = collocation("radau", 3), math.sqrt(6)
    assert rule.nodes.tolist() == pytest.approx([(4 - root) / 10, (4 + root) / 10, 1], abs=1e-14)
    assert rule.matrix[2].tolist() == pytest.approx([(16 - root) / 36, (16 + root) / 36, 1 / 9], abs=1e-14)
    assert rule.ends.tolist() == pytest.approx([0, 0, 1], abs=1e-13)
    assert 1 / rule.damping == pytest.approx(3 + 3 ** (2 / 3) - 3 ** (1 / 3), abs=1e-13)
    expected = [(-13 - 7 * root) / 3, (-13 + 7 * root) / 3, -1 / 3]
    assert (rule.errors / rule.damping).tolist() == pytest.approx(expected, abs=1e-12)


def test_the_error_estimates_of_dop853_have_the_published_coefficients():
    third, fifth = np.zeros(13), np.zeros(13)
    for stage, weight in _TABLEAU[-1].items():
        third[stage] = weight - _THIRD.get(stage, 0.0)
    for stage, weight in _FIFTH_ERROR.items():
        fifth[stage] = weight
    np.testing.assert_allclose(third, dop853_coefficients.E3, atol=1e-15)
    np.testing.assert_allclose(fifth, dop853_coefficients.E5, atol=1e-15)


def test_dop853_is_stable_for_decay_up_to_the_stated_limit():
    """A step multiplies the state of x' = -x by the stability polynomial at -dt."""
    start = torch.ones(1, dtype=torch.float64)
    sizes = [abs(float(runge_kutta_step(lambda z: -z, start, dt))) for dt in np.linspace(0.1, EXPLICIT_LIMIT, 50)]
    assert max(sizes) < 1
    assert abs(float(runge_kutta_step(lambda z: -z, start, 1.4 * EXPLICIT_LIMIT))) > 1


def test_gauss_methods_conserve_the_energy_of_an_oscillator_to_rounding():
    """They conserve quadratic invariants exactly; each of 200 steps rounds the energy by at most one unit of eps."""
    joined = torch.tensor([[[1.0], [0.0]]], dtype=torch.float64)
    turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    for _ in range(200):
        joined = integrate(VectorField(lambda z: z @ turn.mT), joined, 0.7, method="gauss")
    assert float(joined.square().sum()) == pytest.approx(1, abs=200 * torch.finfo(torch.float64).eps)


@pytest.mark.parametrize("stages", [1, 2, 3, 4, 5])
def test_the_coefficients_of_gauss_methods_conserve_quadratic_invariants_to_rounding(stages):
    """The condition is b_i a_ij + b_j a_ji = b_i b_j (Hairer & Wanner 1996, section IV.12)."""
    rule = collocation("gauss", stages)
    products = rule.weights[:, None] * rule.matrix
    expected = rule.weights[:, None] * rule.weights
    assert_close(products + products.mT, expected, atol=torch.finfo(torch.float64).eps, rtol=0)
    assert_close(rule.ends @ rule.matrix, rule.weights, atol=8 * torch.finfo(torch.float64).eps, rtol=0)


def test_gauss_steps_are_symplectic_to_rounding():
    """J^T Omega J = Omega for the exact derivative of the step, at any step size."""
    joined = torch.cat([states(8, 2)[..., None], torch.eye(2, dtype=torch.float64).expand(8, 2, 2)], dim=-1)
    jacobian = integrate(VectorField(pendulum), joined, 0.9, method="gauss")[..., 1:]
    omega = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    assert_close(jacobian.mT @ omega @ jacobian, omega.expand(8, 2, 2), atol=1e-13, rtol=0)


def test_gauss_steps_are_reversible():
    """The method is symmetric: a step forward and one backward return to the start, to rounding."""
    start = states(8, 2)
    there = moved(pendulum, start, 0.9, method="gauss")
    assert_close(moved(lambda z: -pendulum(z), there, 0.9, method="gauss"), start, atol=1e-14, rtol=0)


@by_method
def test_tangents_are_the_derivative_of_the_step_in_forward_and_in_reverse_mode(method):
    start, tangents = states(5, 2), states(5, 2, 2)
    joined = torch.cat([start[..., None], tangents], dim=-1)
    carried = integrate(VectorField(pendulum), joined, 0.5, method=method)

    def step(state):
        return moved(pendulum, state, 0.5, method=method)

    forward = tangent_step_by_jvp(step, start, tangents)
    assert_close(carried[..., 0], forward[0], atol=1e-14, rtol=0)
    assert_close(carried[..., 1:], forward[1], atol=1e-12, rtol=0)
    leaf = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(step(leaf)[..., 1].sum(), leaf)
    assert_close((gradient[..., None] * tangents).sum(-2), forward[1][:, 1], atol=1e-12, rtol=0)


@by_method
def test_tangents_are_differences_of_steps(method):
    """Central differences of width 1e-6 have errors of 1e-9, and steps chosen by the error change with the state."""
    start, tangents = states(5, 2), states(5, 2, 1)
    joined = torch.cat([start[..., None], tangents], dim=-1)
    carried = integrate(VectorField(pendulum), joined, 0.5, method=method, tolerance=1e-12)[..., 1]
    ends = [
        moved(pendulum, start + sign * 1e-5 * tangents[..., 0], 0.5, method=method, tolerance=1e-12) for sign in (1, -1)
    ]
    assert_close(carried, (ends[0] - ends[1]) / 2e-5, atol=1e-7, rtol=0)


@by_method
def test_an_orbit_does_not_depend_on_its_neighbours(method):
    """Batched decompositions may round differently from single ones."""
    start = 2 * states(6, 2)
    together = moved(pendulum, start, 1.5, method=method)
    for index in range(6):
        assert_close(moved(pendulum, start[index], 1.5, method=method), together[index], atol=1e-13, rtol=0)


@by_method
def test_an_orbit_that_blows_up_leaves_its_neighbours_alone(method):
    """x' = x^2 from 2 reaches infinity at time 1/2; from 0.1 it is 0.1 / (1 - 0.1 t)."""
    start = torch.tensor([[2.0], [0.1]], dtype=torch.float64)
    ends = start
    for _ in range(10):
        ends = moved(lambda z: z * z, ends, 0.1, method=method)
    assert not bool(ends[0].isfinite()) or abs(float(ends[0])) > 1e3 or float(ends[0]) < 0
    assert float(ends[1]) == pytest.approx(0.1 / 0.9, abs=1e-9)


@pytest.mark.parametrize("method", ["adaptive", "radau"])
def test_controlled_methods_follow_van_der_pol_through_a_jump(method):
    """At mu = 100 the fast branch takes about 1/100 of a unit of time; scipy's Radau is the second implementation."""
    start = torch.tensor([[1.1, -1.0]], dtype=torch.float64)
    end = moved(van_der_pol, start, 1.0, method=method, tolerance=1e-8)[0]
    truth = solve_ivp(
        lambda _, z: van_der_pol(torch.from_numpy(z)).numpy(),
        (0, 1.0),
        start[0].numpy(),
        method="Radau",
        rtol=1e-9,
        atol=1e-9,
    )
    assert_close(end, torch.from_numpy(truth.y[:, -1].copy()), atol=1e-6, rtol=1e-6)


def test_radau_follows_the_oregonator_through_a_spike():
    """scipy's Radau at a relative tolerance of 1e-9; x rises from 4 to 1e5 after 20.3 units of time and falls again."""
    state = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    truth = solve_ivp(
        lambda _, z: oregonator(torch.from_numpy(z)).numpy(),
        (0, 22),
        state[0].numpy(),
        method="Radau",
        rtol=1e-9,
        atol=1e-9,
    )
    assert truth.y[0].max() > 1e5
    end = moved(oregonator, state, 22.0, method="radau", tolerance=1e-8)[0]
    assert_close(end, torch.from_numpy(truth.y[:, -1].copy()), atol=0, rtol=1e-5)


def test_single_precision_stays_single():
    start = states(3, 2).float()
    for method in METHODS:
        end = moved(pendulum, start, 0.5, method=method)
        assert end.dtype == torch.float32
        assert_close(end.double(), moved(pendulum, start.double(), 0.5, method="dop853"), atol=1e-4, rtol=0)
