import math
from typing import ClassVar, Literal

import pytest
import torch
from typer.testing import CliRunner

from chaosbench import cli
from chaosbench.errors import DataError, SpecError
from chaosbench.exponents import certify_orbit
from chaosbench.exponents.conservation import energy_drift, mean_trace
from chaosbench.kernels import plain_torch
from chaosbench.systems import Flow, HenonHeiles, LimitCycle, Logistic, Lorenz63


class SprottA(Flow):
    """Sprott's case A, also the Nosé-Hoover oscillator: conservative, with chaos beside regular orbits."""

    kind: Literal["sprott_a"] = "sprott_a"
    dimension: ClassVar[int] = 3
    dt: float = 0.1

    def vector_field(self, state):
        x, y, z = state.unbind(-1)
        return torch.stack([y, -x + y * z, 1 - y * y], dim=-1)

    def tangent_field(self, state, tangents):
        _, y, z = state[..., None].unbind(-2)
        u, v, w = tangents.unbind(-2)
        return torch.stack([v, -u + z * v + y * w, -2 * y * v], dim=-2)


def test_the_orbit_from_a_fixed_point_of_a_map_has_its_exact_exponent():
    """At r = 2.5 the fixed point 0.6 has the multiplier 2 - r."""
    certificate = certify_orbit(Logistic(r=2.5), [0.6], duration=50)
    assert certificate.regime == "fixed point"
    assert certificate.reference.exponents == pytest.approx((math.log(0.5),), abs=1e-9)


@pytest.mark.slow
def test_a_regular_orbit_of_a_conservative_system_has_no_positive_exponent():
    """At low energy the system of Hénon and Heiles is close to two oscillators, whose tangents do not grow."""
    certificate = certify_orbit(HenonHeiles(), [0.0, 0.05, 0.05, 0.0], duration=100)
    assert not certificate.reference.chaotic
    assert certificate.passed
    assert any("conserved quantity" in remark for remark in certificate.remarks)


@pytest.mark.parametrize("duration", [50, pytest.param(100, marks=pytest.mark.slow), 150])
def test_a_chaotic_orbit_is_never_called_quasi_periodic_and_a_short_run_names_the_time_it_needs(duration):
    """The orbit from this start is chaotic; 50 units of time are three Lyapunov times."""
    certificate = certify_orbit(HenonHeiles(), [0.0, -0.25, 0.42081, 0.0], duration=duration)
    assert certificate.regime in ("chaotic", "undecided")
    needed = [float(remark.split()[1]) for remark in certificate.remarks if "would tell" in remark]
    assert bool(needed) == (certificate.regime == "undecided")
    assert all(time > duration for time in needed)


@pytest.mark.parametrize("duration", [50, pytest.param(200, marks=pytest.mark.slow)])
def test_a_regular_orbit_is_quasi_periodic_however_long_it_is_followed(duration):
    """Two nearly linear oscillations, whose frequencies depend a little on the energy."""
    assert certify_orbit(HenonHeiles(), [0.0, 0.05, 0.05, 0.0], duration=duration).regime == "quasi-periodic"


def test_the_energy_is_conserved_and_measured():
    states = torch.tensor([HenonHeiles.start], dtype=torch.float64)
    assert float(HenonHeiles().energy(states)) == pytest.approx(0.125, abs=1e-5)
    assert float(energy_drift(HenonHeiles(), states, steps=100)) < 1e-8
    assert float(energy_drift(HenonHeiles(method="dop853", dt=1.5), states, steps=100)) > 1e-6


@pytest.mark.parametrize("method", ["dop853", "radau", "gauss"])
def test_the_mean_trace_is_exact_where_the_trace_is_constant(method):
    flow = Lorenz63(method=method)
    states = torch.tensor([[1.0, 2.0, 20.0], [3.0, -1.0, 15.0]], dtype=torch.float64)
    assert mean_trace(flow, states, steps=5).tolist() == pytest.approx([-(10 + 1 + 8 / 3)] * 2, abs=1e-9)


def test_a_start_of_the_wrong_size_is_refused():
    with pytest.raises(SpecError, match=r"3 numbers.*4"):
        certify_orbit(HenonHeiles(), [0.0, 1.0, 2.0], duration=10)


def test_a_step_that_is_too_long_for_a_stiff_flow_is_named_as_the_cause():
    with pytest.raises(DataError) as raised:
        LimitCycle(mu=100.0).initial_state(2, torch.Generator().manual_seed(0))
    text = str(raised.value)
    assert "stiffness" in text
    assert "radau" in text
    assert "substeps" in text
    assert "\n" not in text


def test_an_orbit_that_escapes_by_any_method_is_still_said_to_escape():
    with pytest.raises(DataError, match="escapes to infinity"):
        LimitCycle(mu=-1.0).initial_state(2, torch.Generator().manual_seed(0))


def test_the_command_follows_one_orbit():
    arguments = ["certify", "henon_heiles", "--start", "0,0.05,0.05,0", "--duration", "50"]
    shown = CliRunner().invoke(cli.app, arguments)
    assert "one orbit" in shown.output
    assert "energy drift" in shown.output
    wrong = CliRunner().invoke(cli.app, [*arguments[:3], "here"]).exception
    assert isinstance(wrong, SpecError)


@pytest.mark.slow
def test_a_step_that_is_too_long_for_a_later_jump_of_an_orbit_fails():
    """The relaxation oscillator at mu = 100 stays slow for some 80 units of time, then jumps within a hundredth."""
    certificate = certify_orbit(LimitCycle(mu=100.0, substeps=10), [2.0, 0.0], duration=150.0)
    assert "half the step" in {check.name for check in certificate.checks if not check.passed}


@pytest.mark.slow
def test_the_orbit_of_henon_and_heiles_has_the_published_exponent():
    """0.055 over 10,000 units of time from (0, -0.25, 0.42081, 0), energy 1/8; exponents of pairs are opposite."""
    certificate = certify_orbit(HenonHeiles(), [0.0, -0.25, 0.42081, 0.0], duration=10_000)
    exponents, widths = certificate.reference.exponents, certificate.reference.intervals
    assert exponents[0] == pytest.approx(0.055, abs=1.5 * widths[0] + 0.002)
    assert sum(exponents) == pytest.approx(0, abs=1e-6)
    assert certificate.passed


@pytest.mark.slow
def test_sprott_a_has_the_published_exponents_from_its_start():
    """Sprott 2003, Chaos and Time-Series Analysis, gives 0.0138, 0, -0.0138 from (0, 5, 0), without an interval.

    Its orbit lingers at islands, so that exponents converge slowly: 1.5 half widths are the rule of certificates.
    """
    reference = certify_orbit(SprottA(), [0.0, 5.0, 0.0], duration=1_000_000).reference
    for value, width, published in zip(reference.exponents, reference.intervals, (0.0138, 0.0, -0.0138), strict=True):
        assert value == pytest.approx(published, abs=1.5 * width + 5e-5)
    assert max(reference.intervals) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("mu", [10.0, 100.0])
def test_a_stiff_oscillator_has_the_exponents_of_its_relaxation_oscillation(mu):
    """The second is the mean trace, -mu (ln 2 + 3/4) / (3/2 - ln 2) on the slow branches y = x / (mu (1 - x^2)).

    The period mu (3 - 2 ln 2) is lengthened by 7.014 mu^(-1/3) (Dorodnitsyn 1947), relatively 4.35 mu^(-4/3).
    """
    certificate = certify_orbit(LimitCycle(mu=mu, dt=0.1 / mu), [2.0, 0.0], duration=20 * mu)
    first, second = certificate.reference.exponents
    width = certificate.reference.intervals[1]
    expected = -mu * (math.log(2) + 0.75) / (1.5 - math.log(2))
    assert abs(first) < certificate.reference.tolerances[0]
    assert second == pytest.approx(expected, abs=1.5 * width + 4.35 * mu ** (-4 / 3) * abs(expected))
    assert certificate.passed


def test_an_exponent_that_an_implicit_step_does_not_resolve_is_left_out():
    """Radau's step damps a direction that decays by exp(-150) by far less, which only compiled steps resolve."""
    with plain_torch():
        certificate = certify_orbit(LimitCycle(mu=100.0, method="radau", dt=0.5), [2.0, 0.0], duration=10.0)
    assert len(certificate.reference.exponents) == 1
    assert "dt=0.5" in certificate.remarks[-1]


@pytest.mark.slow
def test_an_exponent_that_compiled_steps_resolve_is_reported():
    """The sum of the exponents is the mean trace."""
    pytest.importorskip("numba")
    certificate = certify_orbit(LimitCycle(mu=100.0, method="radau", dt=0.5), [2.0, 0.0], duration=500.0)
    assert "sum of exponents" in {check.name for check in certificate.checks if check.passed}
    assert certificate.reference.exponents[1] == pytest.approx(-178.08, rel=0.05)


@pytest.mark.slow
def test_a_step_that_resolves_the_contraction_gets_no_remark():
    certificate = certify_orbit(LimitCycle(mu=100.0, substeps=20), [2.0, 0.0], duration=10.0)
    assert "sum of exponents" in {check.name for check in certificate.checks if check.passed}
    assert "dt=" not in " ".join(certificate.remarks)
