"""Exponents of stiff flows: directions that decay by more than an implicit step resolves."""

import math
import time
from typing import ClassVar

import pytest
import torch
from torch.testing import assert_close

from chaosbench.dynamics import Ensemble, finite_time_exponents, orbit, states_after
from chaosbench.dynamics.returns import repeats
from chaosbench.exponents import certify
from chaosbench.exponents.certify import range_of_speeds
from chaosbench.exponents.conservation import mean_trace
from chaosbench.exponents.contraction import resolved_columns, resolved_exponents
from chaosbench.kernels import for_exponents
from chaosbench.systems import LimitCycle, Lorenz84, Oregonator, SystemSpec

STIFF = LimitCycle(mu=100.0, method="radau", dt=0.5)
ON_CYCLE = torch.tensor([[1.8, -0.0080357]], dtype=torch.float64)  # of van der Pol's slow branch at mu = 100


def test_the_sum_of_exponents_is_the_mean_trace_where_a_step_contracts_by_exp_90():
    """Short steps of the variational equation have a relative error below 1e-6."""
    pytest.importorskip("numba")
    with for_exponents():
        total = finite_time_exponents(STIFF, ON_CYCLE, steps=400, dt=STIFF.dt).sum(-1)
        assert_close(total, mean_trace(STIFF, ON_CYCLE, steps=400), rtol=1e-5, atol=0)
    assert float(total) < -100


def test_the_exponents_of_an_implicit_method_are_those_of_an_explicit_one():
    """On the slow branch 200 explicit steps per unit of time resolve all rates; both integrate the same orbit."""
    pytest.importorskip("numba")
    explicit = LimitCycle(mu=100.0, dt=0.5, substeps=400)
    with for_exponents():
        found, expected = (
            finite_time_exponents(flow, ON_CYCLE, steps=20, dt=0.5, every=1).squeeze(0) for flow in (STIFF, explicit)
        )
    assert float(found[0]) == pytest.approx(float(expected[0]), abs=1e-6)


def test_exponents_that_would_take_too_long_are_not_known_while_leading_ones_are():
    """At mu = 10,000 a step of 50 contracts by exp(-10^6)."""
    pytest.importorskip("numba")
    flow = LimitCycle(mu=1e4, method="radau", dt=50.0)
    state = torch.tensor([[1.8, -1.8 / (1e4 * (1.8**2 - 1))]], dtype=torch.float64)
    with for_exponents():
        rates = finite_time_exponents(flow, state, steps=10, blocks=5, dt=flow.dt)
        alone = finite_time_exponents(flow, state, steps=10, blocks=5, dt=flow.dt, exponents=1)
    assert rates[..., 1].isnan().any()
    assert_close(rates[..., :1], alone, rtol=1e-6, atol=1e-12)
    assert resolved_columns(rates) == 1


def test_torch_resolves_as_many_exponents_as_eigenvalues_are_small():
    points = orbit(STIFF, ON_CYCLE, steps=3)[0]
    assert resolved_exponents(STIFF, points, 2) == 1
    assert resolved_exponents(STIFF.replaced(dt=0.005), points, 2) == 2


def test_a_spike_that_is_sampled_once_does_not_make_an_orbit_repeat_itself_at_once():
    """A period of 162.8 has 326 samples; y is -0.01 but for spikes that last for 0.01 and that few samples hit."""
    pytest.importorskip("numba")
    generator = torch.Generator().manual_seed(0)
    with for_exponents():
        starts, counts = STIFF.random_starts(64, generator), torch.randint(400, 800, (64,), generator=generator)
        path = orbit(STIFF, states_after(STIFF, starts, counts), steps=500)
    lags, returning = repeats(path, continuous=True)
    assert (lags[returning] > 300).all()


def test_the_resolution_of_a_run_includes_how_much_the_speed_at_its_ends_varies():
    ensemble = Ensemble(torch.zeros(2, 10, 1), torch.zeros(2, 1), torch.zeros(2, 1), 2, 100, 0.5, speeds=20.0)
    assert ensemble.resolution == pytest.approx(20.0 / (800 * 0.5))
    slow = Ensemble(torch.zeros(2, 10, 1), torch.zeros(2, 1), torch.zeros(2, 1), 2, 100, 0.5)
    assert slow.resolution == pytest.approx(math.log(5) / (800 * 0.5))


def test_speeds_along_orbits_show_the_jumps_that_their_ends_miss():
    """Van der Pol's x moves by 4 mu / 3 per unit of time in a jump, and by 2 / (3 mu) on a slow branch, at x = 2."""
    pytest.importorskip("numba")
    flow = STIFF.replaced(dt=0.05)
    with for_exponents():
        path = orbit(flow, flow.random_starts(8, torch.Generator().manual_seed(0)), steps=6_000)[:, 2_000:]
    assert range_of_speeds(flow, [path]) > math.log(2 * 100.0**2)
    assert range_of_speeds(flow, [path[:, 0], path[:, -1]]) < range_of_speeds(flow, [path])
    assert range_of_speeds(Lorenz84(), [torch.ones(2, 3, dtype=torch.float64)]) == 0, "its steps are explicit"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "second"),
    [(STIFF, -178.08), (STIFF.replaced(dt=0.05), -178.08), (Oregonator(), None)],
    ids=["van der Pol", "van der Pol in short steps", "Oregonator"],
)
def test_a_stiff_flow_is_certified_within_its_budget(system: SystemSpec, second: float | None):
    """The second exponent of van der Pol's cycle is -178.0798, from an explicit method (docs/verdicts.md)."""
    pytest.importorskip("numba")
    certify(system, budget=2.0)  # compiles
    began = time.process_time()
    certificate = certify(system, budget=20.0, clock=time.process_time)
    assert time.process_time() - began < 30.0
    assert [check.name for check in certificate.checks if not check.passed] == []
    assert certificate.regime == "periodic"
    assert abs(certificate.reference.exponents[0]) <= certificate.reference.tolerances[0]
    if second is not None:
        value, interval = certificate.reference.exponents[1], certificate.reference.intervals[1]
        assert abs(value - second) < 2 * interval
        assert certificate.divergence == pytest.approx(second, rel=0.02)


def test_orbits_shorter_than_a_transient_are_not_sorted_into_attractors():
    """A budget for a part of a period is named as too short, with the factor by which it is."""
    pytest.importorskip("numba")
    certificate = certify(STIFF, budget=0.5)
    assert certificate.attractors == ()
    assert any("budget" in remark for remark in certificate.remarks)


class SlowLorenz84(Lorenz84):
    """The system with three attractors, whose transients are said to outlast any run."""

    transient: ClassVar[float] = 1e7


def test_groups_of_orbits_that_are_too_short_to_be_sorted_fail_the_certificate():
    """Orbits at a point, on a cycle and in chaos are averaged over, which must not pass as one attractor."""
    certificate = certify(SlowLorenz84(a=0.255, b=4.0, F=6.886, G=1.347), budget=4.0)
    assert certificate.regime == "undecided"
    assert any("budget" in remark for remark in certificate.remarks)
    assert "one attractor" in {check.name for check in certificate.checks if not check.passed}
