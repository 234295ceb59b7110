"""Flows whose steps the values of the state choose, compiled: the decisions, states and tangents of torch."""

from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch.testing import assert_close

pytest.importorskip("numba")
from traced_steps import agree, generator, normal

from chaosbench.dynamics import finite_time_exponents, lyapunov_spectrum, orbit, states_after
from chaosbench.exponents.conservation import mean_trace
from chaosbench.kernels import CompiledProcedure, compiled_orbits, for_exponents, plain_torch
from chaosbench.systems import (
    DoublePendulum,
    Duffing,
    Flow,
    HenonHeiles,
    LimitCycle,
    Lorenz63,
    Oregonator,
    PoincareMap,
)

# A step of a stiff flow is conditioned by the size of its Jacobian times the step; the Oregonator has rates of 1e5.
FLOWS = [
    (Lorenz63(method="adaptive", dt=0.05), 1e-11),
    (Lorenz63(method="radau", dt=0.05), 1e-11),
    (Lorenz63(method="gauss", dt=0.05, substeps=2), 1e-11),
    (Duffing(method="radau"), 1e-11),  # whose clock is wrapped
    (DoublePendulum(method="gauss"), 1e-11),
    (HenonHeiles(method="gauss", dt=0.25), 1e-11),
    (LimitCycle(mu=100.0, method="radau", dt=0.5), 1e-9),
    (Oregonator(), 1e-8),
]


def compiled_of(system: Flow, states: torch.Tensor) -> CompiledProcedure:
    with for_exponents():
        found = compiled_orbits(system, system.step, states, steps=1000)
    assert isinstance(found, CompiledProcedure)
    return found


@pytest.mark.parametrize(("system", "tolerance"), FLOWS, ids=lambda one: getattr(one, "label", None))
def test_states_and_tangents_behind_a_step_are_those_of_torch(system: Flow, tolerance: float):
    states, tangents = system.random_starts(6, generator()), normal(6, system.state_size, 2)
    stepped, carried = compiled_of(system, states).tangent_step(states, tangents)
    expected = system.tangent_step(states, tangents)
    agree(stepped, expected[0], tolerance)
    agree(carried, expected[1], tolerance)


@pytest.mark.parametrize("method", ["adaptive", "radau", "gauss"])
def test_orbits_and_exponents_are_those_of_torch(method: str):
    """Rounding grows by a factor of 2.5 per unit of time."""
    system = Lorenz63(method=method, dt=0.05)
    states, sizes = system.random_starts(3, generator()), {"steps": 12, "transient": 3, "every": 2, "blocks": 2}
    counts = torch.tensor([3, 1, 7])
    with for_exponents():
        found = orbit(system, states, steps=5, transient=2, every=2), states_after(system, states, counts)
        exponents = finite_time_exponents(system, states, **sizes, exponents=2, dt=0.05)
    with plain_torch():
        agree(found[0], orbit(system, states, steps=5, transient=2, every=2), 1e-11)
        agree(found[1], states_after(system, states, counts), 1e-11)
        expected = finite_time_exponents(system, states, **sizes, exponents=2, dt=0.05)
    assert_close(exponents, expected, rtol=1e-9, atol=1e-9)


def test_a_stiff_orbit_follows_scipys_radau_through_a_spike():
    """x rises from 4 to 1e5 after 20.3 units of time and falls again; steps have a tolerance of 1e-8."""
    system, start = Oregonator(dt=2.0), torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)

    def field(_: float, z: np.ndarray) -> np.ndarray:
        return system.vector_field(torch.from_numpy(z)).numpy()

    truth = solve_ivp(field, (0, 22), start[0].numpy(), method="Radau", rtol=1e-9, atol=1e-9)
    assert truth.y[0].max() > 1e5
    end = compiled_of(system, start).orbit(start, steps=11)[0, -1]
    assert_close(end, torch.from_numpy(truth.y[:, -1].copy()), atol=0, rtol=1e-5)


class Explosion(Flow):
    """x' = x^2 reaches infinity at the time 1 / x; y' = -y."""

    dimension: ClassVar[int] = 2

    kind: Literal["explosion"] = "explosion"

    def vector_field(self, state):
        x, y = state.unbind(-1)
        return torch.stack([x * x, -y], dim=-1)


@pytest.mark.parametrize("method", ["adaptive", "radau"])
def test_an_orbit_that_blows_up_is_nan_and_leaves_its_neighbours_alone(method: str):
    """From x = 0.1 the state is 0.1 / (1 - 0.1 t)."""
    system = Explosion(method=method, dt=0.25)
    states = torch.tensor([[1.5, 1.0], [0.1, 1.0]], dtype=torch.float64)
    compiled = compiled_of(system, 0.1 * states[1:])  # compared along an orbit that does not blow up
    path = compiled.orbit(states, steps=8)
    assert path[0, -1].isnan().all()
    assert_close(path[1, -1], torch.tensor([0.1 / 0.8, 0.1353352832366127], dtype=torch.float64), rtol=1e-8, atol=0)
    with for_exponents():
        exponents = lyapunov_spectrum(system, states, steps=8, dt=system.dt)
    assert exponents[0].isnan().all()
    assert exponents[1].isfinite().all()


def test_data_have_the_bits_of_torch():
    system = LimitCycle(mu=100.0, method="radau", dt=0.5)
    states = system.random_starts(2, generator())
    found = orbit(system, states, steps=120)
    with plain_torch():
        assert torch.equal(found, orbit(system, states, steps=120))


class Unknown(Flow):
    """A field with an operation that is not translated."""

    dimension: ClassVar[int] = 2

    kind: Literal["unknown"] = "unknown"

    def vector_field(self, state):
        return -torch.special.i0(state)


def test_a_field_that_cannot_be_translated_is_left_to_torch():
    system, states = Unknown(method="radau"), normal(2, 2)
    with for_exponents():
        assert compiled_orbits(system, system.step, states, steps=1000) is None
        found = orbit(system, states, steps=3)
    with plain_torch():
        assert torch.equal(found, orbit(system, states, steps=3))


@pytest.mark.parametrize("method", ["radau", "adaptive", "gauss"])
def test_the_integral_of_the_trace_is_that_of_torch(method: str):
    system = LimitCycle(mu=5.0, method=method, dt=0.1)
    states = system.random_starts(3, generator())
    with for_exponents():
        found = mean_trace(system, states, steps=40)
    with plain_torch():
        assert_close(found, mean_trace(system, states, steps=40), rtol=1e-10, atol=0)


def test_a_section_is_reached_at_the_states_of_torch():
    """Van der Pol's cycle crosses y = 0 upwards once in a period."""
    section = PoincareMap(flow=LimitCycle(mu=20.0, method="radau", dt=0.5), coordinate=1)
    points = torch.tensor([[-1.9], [-2.1]], dtype=torch.float64)
    with for_exponents():
        found = section.tangent_step(points, torch.ones(2, 1, 1, dtype=torch.float64))
    with plain_torch():
        expected = section.tangent_step(points, torch.ones(2, 1, 1, dtype=torch.float64))
    assert_close(found[0], expected[0], rtol=1e-9, atol=1e-9)
    assert_close(found[1], expected[1], rtol=0, atol=1e-6)
