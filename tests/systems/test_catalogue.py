import math
import re
from functools import cache

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch.testing import assert_close

from chaosbench import systems
from chaosbench.dynamics import CONTROLLED, lyapunov_spectrum, orbit, tangent_step_by_jvp
from chaosbench.exponents import largest_exponent
from chaosbench.systems import Flow, SystemSpec
from docs.generate.certificates import SHIPPED

CATALOGUE = [system for system in SHIPPED if system.label == system.kind]
RUNGE_KUTTA = [s for s in CATALOGUE if isinstance(s, Flow) and s.kind != "kuramoto_sivashinsky"]
# Steps that are chosen by their error jump with the state by the tolerance, 1e-8, which differences of 1e-5 amplify.
SMOOTH = [s for s in CATALOGUE if not (isinstance(s, Flow) and s.method in CONTROLLED)]


def by_kind(chosen):
    return pytest.mark.parametrize("system", chosen, ids=lambda system: system.kind)


@cache
def states(system: SystemSpec) -> torch.Tensor:
    """Six states on the attractor, computed once because a transient takes long."""
    return system.initial_state(6, torch.Generator().manual_seed(0))


@by_kind(CATALOGUE)
def test_the_kind_is_the_class_in_snake_case_and_the_docstring_has_equation_and_source(system):
    name = type(system).__name__
    assert system.kind == re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    text = type(system).__doc__
    assert "Source:" in text
    assert "=" in text.split("Source:")[0]
    assert system.label == system.kind
    assert getattr(systems, name) is type(system)


@by_kind(CATALOGUE)
def test_a_system_survives_json(system):
    assert type(system).model_validate_json(system.model_dump_json()) == system


@by_kind(CATALOGUE)
def test_states_on_the_attractor_are_finite_and_differ_and_have_observables(system):
    sample = states(system)
    assert sample.shape == (6, system.state_size)
    assert sample.dtype == torch.float64
    seen = system.observe(sample)
    assert seen.shape == (6, system.dimension)
    assert len(seen[:, 0].unique(dim=0)) > 1


@by_kind(CATALOGUE)
def test_tangent_steps_are_the_derivative_of_steps(system):
    """Both add the same terms in different orders, so errors are a few units in the last place of entries up to 100."""
    points = states(system).unflatten(0, (2, 3))
    tangents = torch.randn(2, 3, system.state_size, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    stepped, carried = system.tangent_step(points, tangents)
    by_jvp = tangent_step_by_jvp(system.step, points, tangents)
    assert_close(stepped, system.step(points), atol=1e-12, rtol=1e-12)
    assert_close(carried, by_jvp[1], atol=1e-11, rtol=1e-11)


@by_kind(SMOOTH)
def test_tangent_steps_are_differences_of_steps(system):
    """The error of central differences is the squared width, 1e-10, times third derivatives of up to a thousand."""
    points = states(system)
    direction = torch.randn(system.state_size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    _, carried = system.tangent_step(points, direction.expand_as(points)[..., None])
    difference = (system.step(points + 1e-5 * direction) - system.step(points - 1e-5 * direction)) / 2e-5
    assert_close(carried[..., 0], difference, atol=1e-6, rtol=1e-6)


@by_kind(CATALOGUE)
def test_a_step_accepts_any_leading_axes_and_keeps_single_precision(system):
    """Batched products and transforms may round differently from single ones."""
    points = states(system)
    stepped = system.step(points)
    assert_close(system.step(points.unflatten(0, (2, 1, 3))), stepped.unflatten(0, (2, 1, 3)), atol=1e-12, rtol=1e-12)
    assert_close(system.step(points[0]), stepped[0], atol=1e-12, rtol=1e-12)
    single = system.step(points.float())
    assert single.dtype == torch.float32
    assert system.tangent_step(points.float(), points.float()[..., None])[1].dtype == torch.float32
    assert_close(single, stepped.float(), atol=1e-3, rtol=1e-3)


@by_kind(RUNGE_KUTTA)
def test_an_orbit_of_a_flow_equals_an_adaptive_solution(system):
    """Ten steps on the attractor; the error of the fixed step is at most 1e-7 standard deviations per unit of time."""
    start = states(system)[0]

    def field(_, state):
        return system.vector_field(torch.from_numpy(state)).numpy()

    times = np.linspace(0, 10 * system.dt, 11)
    truth = solve_ivp(field, (0, times[-1]), start.numpy(), method="DOP853", rtol=1e-12, atol=1e-12, t_eval=times)
    expected = system.observe(torch.from_numpy(truth.y.T[1:].copy()))
    scale = float(states(system).abs().max())
    assert_close(system.observe(orbit(system, start, steps=10)), expected, atol=1e-7 * scale, rtol=0)


@by_kind([s for s in RUNGE_KUTTA if s.kind in ("duffing", "limit_cycle")])
def test_the_step_error_of_a_flow_is_below_one_in_a_million(system):
    assert system.step_error() < 1e-6


EXPONENT_SUMS = {
    systems.Lorenz96(): -10.0,
    systems.Lorenz96(size=7, forcing=5.0): -7.0,
    systems.Duffing(): -0.1,
    systems.Chen(): 28.0 - 35.0 - 3.0,
    systems.Halvorsen(): -3 * 1.27,
    systems.Thomas(): -3 * 0.18,
    systems.Ikeda(): 2 * math.log(0.9),
    systems.Lozi(): math.log(0.5),
    systems.Tent(): math.log(1.9),
}


@pytest.mark.parametrize("system", EXPONENT_SUMS, ids=lambda system: system.label)
def test_exponents_sum_to_the_trace_or_log_determinant_of_the_jacobian_if_it_is_constant(system):
    """This holds for every orbit, however short; Runge-Kutta steps add 1e-8 per unit of time."""
    start = system.random_starts(6, torch.Generator().manual_seed(0))
    spectrum = lyapunov_spectrum(system, start, steps=20, dt=system.dt)
    expected = torch.full((6,), EXPONENT_SUMS[system], dtype=torch.float64)
    assert_close(spectrum.sum(-1), expected, atol=1e-6, rtol=0)


def test_orbits_rotate_with_the_frequencies_of_the_torus_and_converge_to_it():
    """The solution is r^2 = 1 / (1 + (1 / r_0^2 - 1) exp(-2 t)), angle = angle_0 + omega t."""
    torus = systems.Torus()
    start = torch.tensor([0.5, 0.0, 0.0, 1.5], dtype=torch.float64)
    time = 30 * torus.dt
    radius_1, radius_2 = ((1 + (1 / r**2 - 1) * math.exp(-2 * time)) ** -0.5 for r in (0.5, 1.5))
    angle_1, angle_2 = torus.omega_1 * time, math.pi / 2 + torus.omega_2 * time
    expected = torch.tensor(
        [
            radius_1 * math.cos(angle_1),
            radius_1 * math.sin(angle_1),
            radius_2 * math.cos(angle_2),
            radius_2 * math.sin(angle_2),
        ],
        dtype=torch.float64,
    )
    assert_close(orbit(torus, start, steps=30)[-1], expected, atol=1e-8, rtol=0)


def test_the_cycle_alternates_between_its_two_points():
    """The points are x = (r + 1 +- sqrt((r - 3) (r + 1))) / (2 r); the multiplier is 4 + 2 r - r^2."""
    cycle = systems.TwoCycle()
    root = math.sqrt((cycle.r - 3) * (cycle.r + 1))
    points = torch.tensor([[cycle.r + 1 + root], [cycle.r + 1 - root]], dtype=torch.float64) / (2 * cycle.r)
    assert_close(cycle.step(points), points.flip(0), atol=1e-15, rtol=0)
    spectrum = lyapunov_spectrum(cycle, points, steps=2)
    expected = math.log(4 + 2 * cycle.r - cycle.r**2) / 2
    assert_close(spectrum, torch.full((2, 1), expected, dtype=torch.float64), atol=1e-13, rtol=0)


def test_the_logistic_map_at_four_doubles_an_angle():
    """The map takes x = sin^2 u to sin^2 2 u, so the exponent is ln 2."""
    logistic = systems.Logistic(r=4.0)
    angles = torch.rand(50, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert_close(logistic.step(angles.sin() ** 2), (2 * angles).sin() ** 2, atol=1e-15, rtol=0)
    assert largest_exponent(logistic) == math.log(2)


def test_orbits_of_the_tent_map_do_not_collapse():
    """Orbits stay distinct and away from zero for many more steps than a double has bits."""
    path = orbit(systems.Tent(), states(systems.Tent()), steps=1000)
    assert float(path.min()) > 0
    assert len(path[:, -1].unique()) == 6


def test_the_stable_fixed_point_of_the_ikeda_map_attracts_no_initial_state():
    """Hammel, Jones & Moloney 1985 give the point (2.9721, 4.1459)."""
    ikeda = systems.Ikeda()
    point = orbit(ikeda, torch.tensor([2.97, 4.15], dtype=torch.float64), steps=2000)[-1]
    assert_close(ikeda.step(point), point, atol=1e-10, rtol=0)
    assert_close(point, torch.tensor([2.9721, 4.1459], dtype=torch.float64), atol=2e-4, rtol=0)
    many = ikeda.initial_state(2000, torch.Generator().manual_seed(1))
    assert float((many - point).norm(dim=-1).min()) > 0.1


def test_the_phase_of_the_drive_stays_below_two_pi_and_its_cosine_is_observed():
    duffing = systems.Duffing()
    path = orbit(duffing, states(duffing), steps=100)
    assert float(path[..., 2].min()) >= 0
    assert float(path[..., 2].max()) < 2 * math.pi
    times = duffing.dt * torch.arange(1, 101, dtype=torch.float64)
    drive = (states(duffing)[:, 2:] + duffing.omega * times).cos()
    assert_close(duffing.observe(path)[..., 2], drive, atol=1e-11, rtol=0)
