import math
from functools import cache
from typing import ClassVar, Literal

import pytest
import torch
from pydantic import Field, ValidationError
from scipy.stats import ks_2samp
from torch.testing import assert_close

from chaosbench.dynamics import orbit, tangent_step_by_jvp
from chaosbench.errors import DataError
from chaosbench.exponents import largest_exponent, measured_reference
from chaosbench.systems import Flow, Henon, Lorenz63, Map, Rossler, SystemSpec
from chaosbench.systems import Thomas as ShippedThomas

SYSTEMS = [Lorenz63(), Lorenz63(rho=38.0), Rossler(), Rossler(a=0.15, c=10.0), Henon()]
by_label = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.label)


class Thomas(Flow):
    """A flow of a plug-in that defines only the required members."""

    kind: Literal["thomas"] = "thomas"
    dimension: ClassVar[int] = 3
    friction: float = 0.19

    def vector_field(self, state):
        return state.roll(-1, dims=-1).sin() - self.friction * state


class Ring(Flow):
    """A flow of `size` oscillators on circles, of which one coordinate is observed."""

    kind: Literal["ring"] = "ring"
    size: int = Field(default=2, ge=1)
    dimension: ClassVar[int] = 1

    @property
    def state_size(self) -> int:
        return 2 * self.size

    def vector_field(self, state):
        x, y = state[..., : self.size], state[..., self.size :]
        pull = 1 - x * x - y * y
        return torch.cat([x * pull - y, y * pull + x], dim=-1)


class Chebyshev(Map):
    """The Chebyshev map x' = 1 - 2 x^2 on [-1, 1]."""

    kind: Literal["chebyshev"] = "chebyshev"
    dimension: ClassVar[int] = 1

    def step(self, state):
        return 1 - 2 * state * state


class Escaping(Map):
    kind: Literal["escaping"] = "escaping"
    dimension: ClassVar[int] = 1
    factor: float = 3.0

    def step(self, state):
        return self.factor * state


@cache
def members(system: SystemSpec) -> torch.Tensor:
    """Four hundred states on the attractor, computed once because a transient takes long."""
    return system.initial_state(400, generator())


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("system", [Lorenz63(dt=0.04), Henon()], ids=str)
def test_initial_states_depend_on_the_generator_alone(system):
    first = system.initial_state(3, generator())
    torch.randn(1)
    assert first.shape == (3, system.state_size)
    assert first.dtype == torch.float64
    assert torch.equal(system.initial_state(3, generator()), first)
    assert not torch.equal(system.initial_state(3, generator(1)), first)


@by_label
def test_initial_states_are_spread_over_the_attractor(system):
    """A Kolmogorov-Smirnov test compares initial states with long orbits, sampled about once per Lyapunov time."""
    stride = max(1, round(1 / (system.reference.largest * system.dt)))
    path = orbit(system, members(system)[:80], steps=13, every=stride)[..., 3:, :]
    for index in range(system.dimension):
        assert ks_2samp(members(system)[:, index], path[..., index].flatten()).pvalue > 1e-3


@by_label
def test_tangent_steps_are_the_derivative_of_steps(system):
    """Both add the same terms in different orders, so errors are a few units in the last place."""
    points = members(system)[:6].unflatten(0, (2, 3))
    tangents = torch.randn(2, 3, system.state_size, 2, dtype=torch.float64, generator=generator())
    stepped, carried = system.tangent_step(points, tangents)
    by_jvp = tangent_step_by_jvp(system.step, points, tangents)
    assert_close(stepped, by_jvp[0], atol=1e-12, rtol=1e-12)
    assert_close(carried, by_jvp[1], atol=1e-12, rtol=1e-12)


@by_label
def test_a_step_accepts_any_leading_axes_and_keeps_single_precision(system):
    points = members(system)[:6]
    stepped = system.step(points)
    assert torch.equal(system.step(points.unflatten(0, (2, 1, 3))), stepped.unflatten(0, (2, 1, 3)))
    assert torch.equal(system.step(points[0]), stepped[0])
    assert system.step(points.float()).dtype == torch.float32
    assert system.observe(points).shape == (6, system.dimension)


@pytest.mark.parametrize("system", [Lorenz63(), Lorenz63(rho=38.0), Rossler(), Rossler(a=0.15, c=10.0)], ids=str)
def test_the_step_of_a_shipped_flow_is_accurate_to_one_in_ten_million(system):
    assert system.step_error() < 1e-7


def test_substeps_reduce_the_step_error():
    """The error shrinks by 2^8 for one state; the maximum over states on the attractor varies by a factor of ten."""
    assert Lorenz63(dt=0.06, substeps=2).step_error() < Lorenz63(dt=0.06).step_error() / 2**4


def test_a_flow_needs_only_a_dimension_and_a_vector_field():
    system = Thomas(dt=0.2)
    states = system.initial_state(50, generator())
    assert states.shape == (50, 3)
    assert bool((states.std(0) > 1).all())
    points, step = states[:3], 1e-6
    _, carried = system.tangent_step(points, torch.eye(3, dtype=torch.float64).expand(3, 3, 3))
    for index, direction in enumerate(torch.eye(3, dtype=torch.float64)):
        difference = (system.step(points + step * direction) - system.step(points - step * direction)) / (2 * step)
        # Central differences have errors of step^2 and eps / step.
        assert_close(carried[..., index], difference, atol=1e-8, rtol=0)


def test_a_flow_has_tangents_of_its_field_by_differentiation_and_no_energy_unless_it_defines_one():
    """The Jacobian of the default is that of the shipped equation, whose tangents are written out."""
    states, unit = 3 * torch.randn(4, 3, dtype=torch.float64, generator=generator()), torch.eye(3, dtype=torch.float64)
    tangents = unit.expand(4, 3, 3)
    shipped = ShippedThomas(friction=0.19)
    assert_close(Thomas().tangent_field(states, tangents), shipped.tangent_field(states, tangents), atol=1e-15, rtol=0)
    assert not Thomas().conservative
    with pytest.raises(DataError, match="thomas"):
        Thomas().energy(states)


def test_a_part_of_the_state_may_be_hidden():
    system = Ring(size=3, dt=0.1)
    states = system.initial_state(5, generator())
    assert states.shape == (5, 6)
    assert torch.equal(system.observe(states), states[:, :1])


def test_members_on_a_cycle_are_at_different_phases():
    """All start within 0.1 of each other and end at random phases of the circle."""
    system = Ring(size=1, dt=0.1)
    states = system.initial_state(100, generator())
    assert_close(states.norm(dim=-1), torch.ones(100, dtype=torch.float64), atol=1e-6, rtol=0)
    angles = torch.atan2(states[:, 1], states[:, 0]).sort().values
    assert float(angles.diff().max()) < 0.6  # 100 random phases leave a gap of 0.6 once in 200 draws


def test_an_orbit_that_escapes_is_reported_in_one_line():
    with pytest.raises(DataError) as raised:
        Henon(a=2.0).initial_state(4, generator())
    assert "\n" not in str(raised.value)
    assert "henon(a=2)" in str(raised.value)
    assert "'a': 2.0, 'b': 0.3" in str(raised.value)


def test_orbits_that_escape_have_no_exponent():
    with pytest.raises(DataError, match="escaping"):
        largest_exponent(Escaping(factor=1e10))


@pytest.mark.parametrize("dt", [0.0, -0.01])
def test_a_step_must_be_positive(dt):
    with pytest.raises(ValidationError, match="greater than 0"):
        Lorenz63(dt=dt)


def test_a_map_takes_one_unit_of_time_per_step():
    assert Henon().dt == 1
    with pytest.raises(ValidationError):
        Henon(dt=0.5)


def test_specs_survive_json():
    for system in SYSTEMS:
        assert type(system).model_validate_json(system.model_dump_json()) == system


def test_an_exponent_without_a_reference_is_computed_on_first_use():
    """The change of variables x = cos(pi u) gives a tent map of slope 2, and its derivatives average out."""
    assert Chebyshev().reference is None
    assert largest_exponent(Chebyshev()) == pytest.approx(math.log(2), abs=2e-3)
    assert largest_exponent(Henon(a=1.39)) == largest_exponent(Henon(a=1.39))


def test_the_exponent_of_a_stable_point_is_negative():
    assert largest_exponent(Escaping(factor=0.5)) == pytest.approx(math.log(0.5))


def test_exponents_of_a_cycle_are_zero_and_minus_two():
    """r' = r (1 - r^2) has the derivative -2 at r = 1; tangents align as exp(-2 t), to 1e-9 within ten units."""
    reference = measured_reference(Ring(size=1, dt=0.1), members=4, steps=50, transient=100)
    assert reference.exponents == pytest.approx((0, -2), abs=1e-7)
    assert reference.predictability_time is None
