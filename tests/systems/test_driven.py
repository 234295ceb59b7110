import math
from typing import ClassVar, Literal

import pytest
import torch
from torch.testing import assert_close

from chaosbench.dynamics import lyapunov_spectrum, orbit
from chaosbench.errors import DataError
from chaosbench.exponents import certify
from chaosbench.source import DataSpec
from chaosbench.systems import DrivenFlow, Duffing, wrapped
from chaosbench.testing import check_system


class Swing(DrivenFlow):
    """A damped linear oscillator with a drive: its response is known; its exponents are 0 and -damping / 2 twice."""

    kind: Literal["swing"] = "swing"
    dimension: ClassVar[int] = 2
    transient: ClassVar[float] = 50.0
    damping: float = 0.5
    omega: float = 2.0
    dt: float = 0.1

    @property
    def period(self) -> float:
        return 2 * math.pi / self.omega

    def driven_field(self, state, time):
        x, v = state.unbind(-1)
        return torch.stack([v, -x - self.damping * v + (self.omega * time).cos()], dim=-1)


class BriefSwing(Swing):
    """The same with a short transient, for tests that need no attractor."""

    transient: ClassVar[float] = 2.0


class DrivenDuffing(DrivenFlow):
    """The Duffing oscillator as it is written in books, without a state for the phase."""

    kind: Literal["driven_duffing"] = "driven_duffing"
    dimension: ClassVar[int] = 2
    damping: float = 0.2
    amplitude: float = 0.3
    omega: float = 1.0
    dt: float = 0.2
    transient: ClassVar[float] = 20.0

    @property
    def period(self) -> float:
        return 2 * math.pi / self.omega

    def driven_field(self, state, time):
        x, v = state.unbind(-1)
        force = x - x * x * x - self.damping * v + self.amplitude * (self.omega * time).cos()
        return torch.stack([v, force], dim=-1)


class Drift(DrivenFlow):
    """A stable point at the value of a parameter that grows in time, x' = rate * t - x."""

    kind: Literal["drift"] = "drift"
    dimension: ClassVar[int] = 1
    transient: ClassVar[float] = 30.0
    rate: float = 0.5
    dt: float = 0.25

    def driven_field(self, state, time):
        return self.rate * time[..., None] - state


def generator():
    return torch.Generator().manual_seed(0)


def response(swing: Swing, time: torch.Tensor) -> torch.Tensor:
    """Return the attracting orbit's position, the real part of exp(i omega t) / (1 - omega^2 + i damping omega)."""
    amplitude = 1 / complex(1 - swing.omega**2, swing.damping * swing.omega)
    return amplitude.real * (swing.omega * time).cos() - amplitude.imag * (swing.omega * time).sin()


def test_a_driven_oscillator_follows_its_known_response():
    """Half the transient leaves exp(-6) of the start."""
    swing = Swing()
    path = orbit(swing, swing.initial_state(8, generator()), steps=40)
    assert_close(path[..., 0], response(swing, path[..., 2]), atol=2e-3, rtol=0)


def test_the_time_is_part_of_the_state_modulo_the_period_and_is_not_observed():
    swing = Swing()
    states = swing.initial_state(64, generator())
    assert states.shape == (64, 3)
    assert swing.observe(states).shape == (64, 2)
    path = orbit(swing, states, steps=100)
    assert 0 <= float(path[..., 2].min()) <= float(path[..., 2].max()) < swing.period
    assert float(states[:, 2].std()) > swing.period / 5  # uniform phases have period / 3.5


def test_the_exponents_of_a_driven_oscillator_are_exact():
    """The equation is linear in the state: -damping / 2 twice, and 0 for the time.

    After a half turn of the free oscillation all its tangents are -exp(-damping t / 2) times what they were. Where the
    drive has the same period, exponents over whole periods are exact once the first tangent follows the orbit: within
    twenty periods up to exp(-16).
    """
    swing = BriefSwing(omega=2 * math.sqrt(1 - 0.5**2 / 4))
    swing = swing.replaced(dt=swing.period / 8)
    states = swing.initial_state(4, generator())
    spectrum = lyapunov_spectrum(swing, states, steps=5 * 8, transient=20 * 8, every=5, dt=swing.dt)
    assert_close(spectrum, torch.tensor([0.0, -0.25, -0.25], dtype=torch.float64).expand(4, 3), atol=1e-6, rtol=0)


def test_a_drive_gives_the_same_orbit_as_a_state_for_its_phase():
    driven = DrivenDuffing()
    other = Duffing(damping=0.2, amplitude=0.3, omega=1.0, dt=0.2)
    states = driven.initial_state(4, generator())
    assert_close(orbit(driven, states, steps=20)[..., :2], orbit(other, states, steps=20)[..., :2], atol=1e-12, rtol=0)
    assert driven.period == other.period == other.cycle


def test_coordinates_that_repeat_are_wrapped_and_the_others_are_not():
    state = torch.tensor([[7.0, -1.0, 9.0], [-0.5, 2.0, -9.0]], dtype=torch.float64)
    expected = torch.tensor([[1.0, -1.0, 1.0], [1.5, 2.0, 3.0]], dtype=torch.float64)
    assert torch.equal(wrapped(state, {0: 2.0, 2: 4.0}), expected)
    assert wrapped(state, {}) is state
    assert Duffing(omega=-2.0).ranges == {2: 2 * math.pi}
    assert Drift().ranges == {}
    assert Swing(frozen_at=1.0).ranges == {}


@pytest.mark.parametrize("method", ["dop853", "adaptive", "radau", "gauss"])
def test_a_driven_flow_fulfils_the_contract_with_every_method(method):
    check_system(BriefSwing(method=method, tolerance=1e-9), steps=40)


@pytest.mark.slow
def test_a_periodic_drive_is_certified_with_the_zero_exponent_of_its_time():
    certificate = certify(Swing(), budget=1.0)
    assert {check.name for check in certificate.checks if check.passed} >= {"zero exponent", "sum of exponents"}


def test_a_drifting_parameter_is_not_certified_and_its_snapshot_is():
    with pytest.raises(DataError, match="not stationary"):
        certify(Drift(), budget=0.1)
    snapshot = Drift(frozen_at=3.0)
    assert snapshot.state_size == 1
    assert_close(
        snapshot.initial_state(4, generator()), torch.full((4, 1), 1.5, dtype=torch.float64), atol=1e-6, rtol=0
    )
    assert certify(snapshot, budget=0.1).reference.exponents == pytest.approx((-1.0,), abs=1e-6)


def test_orbits_of_a_drifting_parameter_start_at_time_zero_and_follow_it():
    """The solution is rate (t - 1 + exp(-t)) from the stable point of time 0."""
    drift = Drift()
    states = drift.initial_state(4, generator())
    assert float(states[:, 1].abs().max()) == 0
    path = orbit(drift, states, steps=50)[0]
    expected = drift.rate * (path[:, 1] - 1 + (-path[:, 1]).exp())
    assert_close(path[:, 0], expected, atol=1e-6, rtol=0)
    train = drift.recordings(DataSpec(train_orbits=2, train_length=50, validation_orbits=0, test_orbits=2)).train
    assert_close(train[0], path[:, :1], atol=1e-6, rtol=0)


@pytest.mark.slow
def test_the_driven_duffing_oscillator_has_its_published_exponents():
    """The driven Duffing oscillator at amplitude 0.3, damping 0.2, omega 1: 0.158, 0, -0.358; the sum is -damping."""
    driven = DrivenDuffing()
    states = driven.initial_state(64, generator())
    spectrum = lyapunov_spectrum(driven, states, steps=10_000, transient=500, every=5, dt=driven.dt).mean(0)
    assert_close(spectrum, torch.tensor([0.158, 0.0, -0.358], dtype=torch.float64), atol=4e-3, rtol=0)
    assert float(spectrum.sum()) == pytest.approx(-0.2, abs=1e-7)
