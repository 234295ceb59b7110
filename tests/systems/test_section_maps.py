import json
import math
from functools import cache

import pytest
import torch
from pydantic import ValidationError
from torch.testing import assert_close

from chaosbench import registry, suite
from chaosbench.data import simulate
from chaosbench.dynamics import finite_time_exponents, orbit, tangent_step_by_jvp
from chaosbench.errors import DataError
from chaosbench.kernels import plain_torch
from chaosbench.kernels.torch_functions import address_of
from chaosbench.systems import (
    Duffing,
    KuramotoSivashinsky,
    LimitCycle,
    Lorenz63,
    PoincareMap,
    Rossler,
    StroboscopicMap,
    SystemSpec,
    Torus,
)

DRIVEN = Duffing(damping=0.2, amplitude=0.3, omega=1.0)
LORENZ = PoincareMap(flow=Lorenz63(dt=0.03), coordinate=2, level=27.0, direction="down")
MAPS = [StroboscopicMap(flow=DRIVEN, phase=0.25), LORENZ]
by_map = pytest.mark.parametrize("system", MAPS, ids=lambda system: system.kind)


def generator():
    return torch.Generator().manual_seed(0)


@cache
def sample(system: SystemSpec) -> torch.Tensor:
    """Sixteen states on the attractor, computed once because a transient takes long."""
    return system.initial_state(16, generator())


def averaged(system: SystemSpec, *, steps: int, transient: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return exponents per unit of the system's time, and half widths of their 95 % intervals."""
    each = finite_time_exponents(system, sample(system), steps=steps, transient=transient, dt=system.dt)
    return each.mean(0), 2.13 * each.std(0) / 4


@by_map
def test_tangent_steps_are_the_derivative_of_steps(system):
    """Locating a crossing adds a few rounding errors; central differences of 1e-6 have errors of 1e-8 of the slopes."""
    points = sample(system)[:6]
    tangents = torch.randn(6, 2, 2, dtype=torch.float64, generator=generator())
    stepped, carried = system.tangent_step(points, tangents)
    forward = tangent_step_by_jvp(system.step, points, tangents)
    assert_close(stepped, forward[0], atol=1e-11, rtol=0)
    assert_close(carried, forward[1], atol=1e-10, rtol=1e-10)
    ends = [system.step(points + sign * 1e-6 * tangents[..., 0]) for sign in (1, -1)]
    assert_close(carried[..., 0], (ends[0] - ends[1]) / 2e-6, atol=1e-5, rtol=1e-5)


@by_map
def test_a_step_accepts_any_leading_axes(system):
    points = sample(system)[:6]
    stepped = system.step(points)
    assert_close(system.step(points.unflatten(0, (2, 3))), stepped.unflatten(0, (2, 3)), atol=1e-11, rtol=0)
    assert_close(system.step(points[0]), stepped[0], atol=1e-11, rtol=0)


@pytest.mark.parametrize("orbits", [1, 9])
@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_compiled_returns_have_the_bits_of_torch_where_the_flow_has_them(direction, orbits):
    """Data on a section do not depend on whether numba is installed; tangents agree to rounding."""
    system = PoincareMap(flow=Lorenz63(dt=0.03), coordinate=2, level=27.0, direction=direction)
    points = sample(LORENZ)[:orbits]
    tangents = torch.randn(orbits, 2, 2, dtype=torch.float64, generator=generator())
    found = system.step(points), *system.tangent_step(points, tangents), system.return_time(points)
    with plain_torch():
        expected = system.step(points), *system.tangent_step(points, tangents), system.return_time(points)
    for ours, torchs in zip(found[:2], expected[:2], strict=True):
        assert torch.equal(ours, torchs)
    assert_close(found[2:], expected[2:], rtol=1e-11, atol=1e-11)


@pytest.mark.skipif(address_of("cosine", 64) is None, reason="this build of torch computes cosines by itself")
def test_compiled_periods_have_the_bits_of_torch():
    strobe, points = MAPS[0], sample(MAPS[0])
    with plain_torch():
        expected = strobe.step(points)
    assert torch.equal(strobe.step(points), expected)


@by_map
def test_an_orbit_of_a_map_does_not_depend_on_its_neighbours(system):
    """Vectors of orbits round as single ones do."""
    together = system.step(sample(system))
    assert torch.equal(torch.cat([system.step(point[None]) for point in sample(system)]), together)


def test_an_orbit_that_never_returns_is_nan_and_leaves_its_neighbours_alone():
    """At rho = 10 all orbits end at fixed points; one that starts there never crosses the section z = 9.5 again."""
    system = PoincareMap(flow=Lorenz63(rho=10.0, dt=0.05), coordinate=2, level=9.5, direction="up", patience=20.0)
    points = torch.tensor([[-8.0, -8.0], [1.0, 10.0], [torch.nan, 0.0]], dtype=torch.float64)
    found = system.step(points), system.tangent_step(points, torch.ones(3, 2, 1, dtype=torch.float64))[1]
    with plain_torch():
        expected = system.step(points), system.tangent_step(points, torch.ones(3, 2, 1, dtype=torch.float64))[1]
    assert_close(found, expected, rtol=1e-11, atol=1e-11, equal_nan=True)
    assert bool(found[0][2].isnan().all())
    assert bool(found[0].isfinite().all(-1).any())


def test_a_stroboscopic_step_is_one_period_of_the_flow():
    strobe = MAPS[0]
    points = sample(strobe)[:4]
    fine = DRIVEN.replaced(dt=DRIVEN.period / 100)
    start = torch.cat([points, torch.full((4, 1), math.pi / 2, dtype=torch.float64)], dim=-1)
    assert_close(strobe.step(points), orbit(fine, start, steps=100)[:, -1, :2], atol=1e-7, rtol=0)


@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_a_poincare_step_ends_on_the_section_after_the_time_of_return(direction):
    section = PoincareMap(flow=Lorenz63(), coordinate=2, level=27.0, direction=direction)
    points = section.initial_state(3, generator())
    times, landed = section.return_time(points), section.step(points)
    for point, time, end in zip(points, times.tolist(), landed, strict=True):
        count = math.ceil(time / 0.01)
        start = torch.tensor([*point.tolist(), 27.0], dtype=torch.float64)
        arrived = orbit(Lorenz63(dt=time / count), start, steps=count)
        assert_close(arrived[-1], torch.tensor([*end.tolist(), 27.0], dtype=torch.float64), atol=1e-7, rtol=0)
        rising = float(arrived[-1, 2] - arrived[-2, 2]) > 0
        assert direction == "both" or rising == (direction == "up")


def test_the_poincare_map_of_a_cycle_has_a_fixed_point_and_the_exponent_of_the_cycle_times_its_period():
    """The torus' first oscillator turns once in 2 pi; both radii contract with the exponent -2."""
    section = PoincareMap(flow=Torus(dt=0.2), coordinate=1)
    points = section.initial_state(4, generator())
    times = section.return_time(points)
    assert_close(times, torch.full((4,), 2 * math.pi, dtype=torch.float64), atol=1e-8, rtol=0)
    each = finite_time_exponents(section, points, steps=3, transient=3).mean(0).sort(descending=True).values
    expected = 2 * math.pi * torch.tensor([0.0, -2.0, -2.0], dtype=torch.float64)
    assert_close(each, expected, atol=1e-5, rtol=0)


def test_stroboscopic_exponents_are_those_of_the_flow_times_the_period():
    """They differ by less than the sum of both 95 % intervals by 1.5, the rule of certificates."""
    strobe, width = averaged(MAPS[0], steps=30, transient=3)
    flow, width_of_flow = averaged(DRIVEN, steps=1000, transient=100)
    for mine, index in ((0, 0), (1, 2)):
        difference = abs(float(strobe[mine] / DRIVEN.period - flow[index]))
        assert difference <= 1.5 * float(width[mine] / DRIVEN.period + width_of_flow[index])
    # The determinant is exact: exp(-damping * period) each step.
    assert float(strobe.sum()) == pytest.approx(-0.2 * DRIVEN.period, abs=1e-5)


def test_the_section_shrinks_by_the_trace_times_the_time_and_by_the_ratio_of_speeds_through_it():
    """Volumes shrink by exp(trace * time) along the flow; an area times the speed through it is such a volume.

    The flow's step of 0.03 has an error of 1e-5 of a volume; rounding errors are relative to the Jacobian's entries.
    """
    states, unit = sample(LORENZ), torch.eye(2, dtype=torch.float64).expand(16, 2, 2)
    landed, jacobian = LORENZ.tangent_step(states, unit)
    speed, later = (state[:, 0] * state[:, 1] - 8 / 3 * LORENZ.level for state in (states, landed))
    expected = -(10 + 1 + 8 / 3) * LORENZ.return_time(states) + (speed / later).log()
    rounding = 16 * torch.finfo(torch.float64).eps * jacobian.square().sum((-1, -2)) / expected.exp()
    assert bool((rounding < 1e-3).sum() >= 12)
    assert bool(((torch.linalg.det(jacobian).log() - expected).abs() <= 2e-5 + rounding).all())


def test_poincare_exponents_are_those_of_the_flow_times_the_mean_time_of_return():
    """Sprott 2003 gives 0.9056, 0, -14.5723 for the Lorenz system; the map has no exponent along the flow.

    Half widths are those of 95 % intervals over orbits; 1.5 of them are the rule of certificates. The published digits
    are rounded, and the flow's step of 0.03 has an error of 1e-7.
    """
    states, returns = sample(LORENZ), 1000
    growth = finite_time_exponents(LORENZ, states, steps=returns, transient=10) * returns
    times = LORENZ.return_time(orbit(LORENZ, states, steps=returns, transient=9)).sum(1, keepdim=True)
    each = growth / times
    mean, width = each.mean(0), 2.13 * each.std(0) / 4
    published = torch.tensor([0.9056, -14.5723], dtype=torch.float64)
    assert bool((width < 0.01).all())
    assert bool(((mean - published).abs() <= 1.5 * width + 1e-4).all())


def test_maps_of_flows_survive_json_and_pickling_and_have_short_labels():
    for system in MAPS:
        assert type(system).model_validate_json(system.model_dump_json()) == system
    assert MAPS[0].label == "stroboscopic_map(flow=duffing(damping=0.2, amplitude=0.3, omega=1), phase=0.25)"
    assert StroboscopicMap(flow="duffing").flow == Duffing()


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: StroboscopicMap(flow=Lorenz63()), "no drive"),
        (lambda: StroboscopicMap(flow="lorens63"), "did you mean 'lorenz63'"),
        (lambda: PoincareMap(flow=Lorenz63(), coordinate=3), "coordinate=3"),
        (lambda: PoincareMap(flow=Duffing(), coordinate=2), "clock"),
        (lambda: PoincareMap(flow=KuramotoSivashinsky(), coordinate=2), "step of its own"),
        (lambda: KuramotoSivashinsky(method="radau"), "step of its own"),
    ],
)
def test_a_map_that_cannot_exist_is_refused_with_the_reason(build, words):
    with pytest.raises(ValidationError, match=words):
        build()


def test_a_section_that_no_orbit_reaches_is_reported():
    with pytest.raises(DataError, match=r"state\[2\] = 99"):
        PoincareMap(flow=Lorenz63(dt=0.05), coordinate=2, level=99.0, patience=5.0).initial_state(2, generator())


def test_maps_of_flows_come_from_suites_and_give_data(tmp_path):
    path = tmp_path / "maps.toml"
    path.write_text(
        """
        suite = "maps"
        [data]
        train_length = 60
        validation_length = 20
        test_length = 400
        train_orbits = 2
        test_orbits = 2
        [evaluation]
        context = 20
        free_runs = 1
        free_run_steps = 300
        horizon = 50
        [[systems]]
        kind = "stroboscopic_map"
        flow = { kind = "duffing", damping = 0.2, amplitude = 0.3, omega = 1.0 }
        [[systems]]
        kind = "poincare_map"
        flow = "rossler"
        coordinate = 0
        [[models]]
        kind = "rnn"
        [[trainers]]
        kind = "bptt"
        sequence_length = 20
        """
    )
    first, second = suite.load(str(path), registry.load())
    assert first.system == StroboscopicMap(flow=DRIVEN)
    assert second.system == PoincareMap(flow=Rossler(), coordinate=0)
    assert json.loads(first.canonical())["system"]["flow"]["damping"] == 0.2
    data = simulate(first.system, first.data.replaced(test_length=20))
    assert data.train.shape[-1] == 2


def test_the_spec_of_a_stiff_oscillator_on_a_section_works():
    """Van der Pol's cycle crosses y = 0 upwards once in a period, at a fixed point of the map."""
    section = PoincareMap(flow=LimitCycle(mu=20.0, method="radau", dt=0.5), coordinate=1)
    points = section.initial_state(2, generator())
    assert_close(section.step(points), points, atol=1e-6, rtol=0)
