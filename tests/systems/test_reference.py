import math

import pytest

from chaosbench.exponents import largest_exponent, measured_reference
from chaosbench.systems import Henon, Lorenz63, Reference, Rossler

SYSTEMS = [Lorenz63(), Lorenz63(rho=38.0), Rossler(), Rossler(a=0.15, c=10.0), Henon()]
by_label = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.label)


def reference(*exponents: float, interval: float = 0.01) -> Reference:
    return Reference(
        parameters={}, exponents=exponents, intervals=(interval,) * len(exponents), source="a test", method="none"
    )


@by_label
def test_every_shipped_reference_is_chaotic_and_complete(system):
    assert system.reference.chaotic
    assert len(system.reference.exponents) == len(system.reference.intervals) == system.state_size
    assert largest_exponent(system) == system.reference.largest


@pytest.mark.parametrize("system", SYSTEMS[:4], ids=lambda system: system.label)
def test_one_exponent_of_a_chaotic_flow_is_zero(system):
    """The exponent along the flow is zero; its average over T units of time has an error of a few / T, here 0.001."""
    assert system.reference.exponents[1] == pytest.approx(0, abs=0.001 + system.reference.intervals[1])


@pytest.mark.parametrize("system", SYSTEMS[:2], ids=lambda system: system.label)
def test_lorenz_references_sum_to_the_trace(system):
    """Exponents are rounded to eight decimals; the Runge-Kutta method adds an error below the tolerance."""
    assert sum(system.reference.exponents) == pytest.approx(-(10 + 1 + 8 / 3), abs=1.6e-6)


def test_the_henon_reference_sums_to_the_logarithm_of_b():
    assert sum(Henon().reference.exponents) == pytest.approx(math.log(0.3), abs=1.1e-6)


@pytest.mark.parametrize(
    ("system", "published"),
    [
        (Lorenz63(), (0.9056, 0.0, -14.572)),  # Sprott 2003, Chaos and Time-Series Analysis
        (Rossler(), (0.0714, 0.0, -5.3943)),  # the same source
        (Henon(), (0.41922, -1.62319)),  # the same source
    ],
)
def test_references_agree_with_published_exponents(system, published):
    """The tolerance is our interval, the last published digit, and 0.0005 for orbits of finite length."""
    reference = system.reference
    for ours, interval, theirs in zip(reference.exponents, reference.intervals, published, strict=True):
        assert abs(ours - theirs) < 1.5 * interval + 0.0005


@by_label
def test_a_small_ensemble_reproduces_the_reference(system):
    """The tolerance is 2.5 intervals of 95 % from 64 short orbits, exceeded by chance in one of a million cases."""
    reference = system.reference
    computed = measured_reference(system, members=64, steps=800, transient=200, exponents=1, seed=7)
    assert abs(computed.largest - reference.largest) < 2.5 * (computed.intervals[0] + reference.intervals[0])


def test_references_depend_on_the_equation_and_not_on_its_numerical_method():
    assert Lorenz63(dt=0.02, substeps=3).reference == Lorenz63().reference
    assert Lorenz63(rho=29.0).reference is None
    assert Lorenz63(rho=38.0).reference != Lorenz63().reference


def test_the_predictability_time_is_the_doubling_time_of_errors():
    assert reference(0.5, -1.0).predictability_time == pytest.approx(2 * math.log(2))


def test_a_largest_exponent_within_its_tolerance_gives_no_predictability_time():
    assert reference(-0.5, -1.0).predictability_time is None
    assert reference(0.005, -1.0).predictability_time is None


def test_dimension_and_entropy_follow_from_the_exponents():
    exponents = reference(1.0, 0.0, -4.0)
    assert exponents.kaplan_yorke_dimension == pytest.approx(2.25)
    assert exponents.entropy_bound == pytest.approx(1.0)
