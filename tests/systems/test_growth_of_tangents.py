"""Tangents of maps of flows, decomposed on the way of a return."""

from contextlib import nullcontext

import pytest
import torch
from torch.testing import assert_close

from chaosbench.dynamics import finite_time_exponents, orbit
from chaosbench.kernels import plain_torch
from chaosbench.systems import Duffing, Lorenz63, PoincareMap, Rossler, StroboscopicMap

STROBE = StroboscopicMap(flow=Duffing(damping=0.2, amplitude=0.3, omega=1.0), phase=0.25)
MAPS = [STROBE, PoincareMap(flow=Lorenz63(dt=0.03), coordinate=2, level=27.0, direction="down")]
by_map = pytest.mark.parametrize("system", MAPS, ids=lambda system: system.kind)


def generator():
    return torch.Generator().manual_seed(0)


def sample(system):
    return system.initial_state(6, generator())


@by_map
@pytest.mark.parametrize("torch_alone", [False, True])
def test_tangents_decomposed_on_the_way_grow_as_those_of_the_whole_step(system, torch_alone):
    """Products of QR decompositions are the decomposition of the product; these maps contract by e^-12 at most."""
    states = sample(system)
    tangents = torch.linalg.qr(torch.randn(6, 2, 2, dtype=torch.float64, generator=generator())).Q
    landed, carried = system.tangent_step(states, tangents)
    expected, triangle = torch.linalg.qr(carried)
    with plain_torch() if torch_alone else nullcontext():
        reached, directions, growth = system.orthonormal_step(states, tangents)
    assert_close(reached, landed, atol=1e-11, rtol=0)
    assert_close(growth, triangle.diagonal(dim1=-2, dim2=-1).abs().log(), atol=1e-5, rtol=0)
    assert_close((directions.mT @ expected).abs(), torch.eye(2, dtype=torch.float64).expand(6, 2, 2), atol=1e-5, rtol=0)


def test_the_section_of_the_rossler_system_keeps_an_exponent_that_a_whole_return_loses_in_rounding():
    """Sprott 2003 gives 0.0714, 0, -5.3943 for the flow; a return contracts by e^-32, below double precision.

    Half widths are those of 95 % intervals over orbits; 1.5 of them are the rule of certificates.
    """
    section = PoincareMap(flow=Rossler(), coordinate=0)
    states, returns = section.initial_state(64, generator()), 100
    growth = finite_time_exponents(section, states, steps=returns, transient=10) * returns
    times = section.return_time(orbit(section, states, steps=returns, transient=9)).sum(1, keepdim=True)
    each = growth / times
    mean, width = each.mean(0), 2.0 * each.std(0) / 8
    assert bool((width < 0.005).all())
    published = torch.tensor([0.0714, -5.3943], dtype=torch.float64)
    assert bool(((mean - published).abs() <= 1.5 * width + 1e-4).all())


def test_the_determinant_of_a_return_is_the_sum_of_its_growth():
    """The trace and the speeds through the section need no tangents; the step of 0.08 has an error of some 1e-6."""
    section = PoincareMap(flow=Rossler(), coordinate=0)
    states = section.initial_state(8, generator())
    tangents = torch.eye(2, dtype=torch.float64).expand(8, 2, 2)
    grown = section.orthonormal_step(states, tangents)[2].sum(-1)
    assert_close(section.log_determinant(states), grown, atol=1e-4, rtol=0)
    strobe = STROBE
    expected = torch.full((2, 3), -0.2 * STROBE.flow.period, dtype=torch.float64)  # the damping is the trace
    assert_close(strobe.log_determinant(sample(strobe)[:6].unflatten(0, (2, 3))), expected, atol=1e-9, rtol=0)


def test_a_lost_orbit_leaves_the_decomposed_tangents_of_its_neighbours_alone():
    system = PoincareMap(flow=Lorenz63(rho=10.0, dt=0.05), coordinate=2, level=9.5, direction="up", patience=20.0)
    points = torch.tensor([[-8.0, -8.0], [1.0, 10.0], [torch.nan, 0.0]], dtype=torch.float64)
    tangents = torch.eye(2, dtype=torch.float64).expand(3, 2, 2)
    states, _, growth = system.orthonormal_step(points, tangents)
    alone = [system.orthonormal_step(point[None], tangents[:1]) for point in points]
    assert_close(states, torch.cat([one[0] for one in alone]), atol=1e-11, rtol=0, equal_nan=True)
    assert_close(growth, torch.cat([one[2] for one in alone]), atol=1e-9, rtol=0, equal_nan=True)
    assert bool(growth[0].isfinite().all() | growth[1].isfinite().all())
    assert bool(growth[2].isnan().all())
