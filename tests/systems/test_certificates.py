import math
import time

import pytest
from pydantic_core import PydanticUndefined

from chaosbench import builtin
from chaosbench.exponents import largest_exponent
from chaosbench.exponents.certify import certify
from chaosbench.systems import (
    Chen,
    Duffing,
    Halvorsen,
    Henon,
    HyperRossler,
    Ikeda,
    KuramotoSivashinsky,
    LimitCycle,
    Logistic,
    Lorenz63,
    Lorenz96,
    Lozi,
    MackeyGlass,
    Rossler,
    Tent,
    Thomas,
    Torus,
    TwoCycle,
)
from chaosbench.systems.certificate import shipped_certificates
from docs.generate.certificates import SHIPPED

CERTIFICATES = {certificate.label: certificate for group in shipped_certificates().values() for certificate in group}
by_label = pytest.mark.parametrize("system", SHIPPED, ids=lambda system: system.label)


def certificate(system):
    return CERTIFICATES[system.label]


def test_exactly_the_shipped_systems_have_certificates():
    assert list(CERTIFICATES) == [system.label for system in SHIPPED]


def test_every_built_in_system_with_default_parameters_is_certified():
    for spec in builtin.chaosbench_systems():
        if all(field.default is not PydanticUndefined for name, field in spec.model_fields.items() if name != "kind"):
            assert spec().reference is not None


@by_label
def test_every_check_of_a_shipped_certificate_passed(system):
    assert [check.name for check in certificate(system).checks if not check.passed] == []


@by_label
def test_a_shipped_certificate_agrees_with_the_system(system):
    """If this fails after a change of an equation's defaults or step, certify the system again."""
    shipped = certificate(system)
    assert shipped.reference.parameters == system.parameters
    assert shipped.dt == system.dt
    assert len(shipped.reference.exponents) == (system.leading or system.state_size)
    assert system.reference == shipped.reference
    assert list(shipped.reference.exponents) == sorted(shipped.reference.exponents, reverse=True)


@by_label
def test_only_a_chaotic_system_has_a_predictability_time(system):
    shipped = certificate(system)
    assert (shipped.regime == "chaotic") == (shipped.predictability_steps is not None) == (largest_exponent(system) > 0)


@pytest.mark.parametrize(
    ("system", "total"),
    [
        (Lorenz63(), -(10 + 1 + 8 / 3)),
        (Lorenz63(rho=38.0), -(10 + 1 + 8 / 3)),
        (Lorenz96(), -10.0),
        (Lorenz96(size=20, forcing=16.0, dt=0.01), -20.0),
        (Duffing(), -0.1),
        (Chen(), -10.0),
        (Halvorsen(), -3.81),
        (Thomas(), -0.54),
        (Henon(), math.log(0.3)),
        (Ikeda(), 2 * math.log(0.9)),
        (Lozi(), math.log(0.5)),
        (Tent(), math.log(1.9)),
        (TwoCycle(), math.log(4 + 2 * 3.2 - 3.2**2) / 2),
        (Torus(), -4.0),
    ],
    ids=lambda value: getattr(value, "label", None),
)
def test_shipped_exponents_sum_to_the_trace_in_closed_form(system, total):
    """Exponents are rounded to eight decimals; the Runge-Kutta method adds up to 1e-7 per unit of the sum."""
    assert sum(certificate(system).reference.exponents) == pytest.approx(total, abs=1e-6)


# Value and half width of the 95 % interval. Sprott 2003, Chaos and Time-Series Analysis, appendix A, gives no errors:
# the width is two units of the last digit. The others were computed with other methods (RK4 with QR on 12 to 64 orbits,
# a trapezoidal map of 160 to 510 points per delay, ETDRK4 at dt = 0.1): the width is 1.96 standard errors.
PUBLISHED = [
    (Lorenz63(), [(0.9056, 0.0002), (0.0, 0.0), (-14.5723, 0.0002)]),
    (Lorenz63(rho=38.0), [(1.1062, 0.003)]),
    (Rossler(), [(0.0714, 0.0002), (0.0, 0.0), (-5.3943, 0.0002)]),
    (Rossler(a=0.15, c=10.0), [(0.0881, 0.0012)]),
    (Duffing(), [(0.1283, 0.0045), (0.0, 0.001), (-0.2283, 0.0045)]),
    (Lorenz96(), [(1.198, 0.031), (0.711, 0.031), (0.077, 0.031), (0.0, 0.0), (-0.441, 0.031), (-0.869, 0.031)]),
    (Lorenz96(size=20, forcing=16.0, dt=0.01), [(3.599, 0.035), (2.970, 0.035), (2.298, 0.035), (1.757, 0.035)]),
    (MackeyGlass(), [(0.0051, 0.0002), (0.0, 0.0002), (-0.0387, 0.0004), (-0.0528, 0.0004)]),
    (MackeyGlass(tau=16.0), [(0.0, 2e-5), (-0.0083, 0.0001)]),
    (KuramotoSivashinsky(), [(0.0487, 0.0018)]),
    (Henon(), [(0.41922, 2e-5), (-1.62319, 2e-5)]),
    (Logistic(), [(0.4959, 0.0002)]),
    (Logistic(r=3.8), [(0.4319, 0.0002)]),
    (Tent(), [(math.log(1.9), 0.0)]),
    (Lozi(), [(0.4704, 0.0002), (math.log(0.5) - 0.4704, 0.0002)]),
    (Halvorsen(), [(0.7899, 0.0002), (0.0, 0.0), (-4.5999, 0.0002)]),
    (Chen(), [(2.0272, 0.0002), (0.0, 0.0), (-12.0272, 0.0002)]),
    (Thomas(), [(0.0349, 0.0002), (0.0, 0.0), (-0.5749, 0.0002)]),
    # Wolf, Swift, Swinney & Vastano 1985, Physica D 16, 285, table I, in bits: 0.16, 0.03, 0.
    (
        HyperRossler(),
        [(0.16 * math.log(2), 0.005 * math.log(2)), (0.03 * math.log(2), 0.005 * math.log(2)), (0.0, 0.0)],
    ),
    (LimitCycle(), [(0.0, 0.0), (-1.0594, 0.0001)]),  # the exponent of van der Pol's cycle at mu = 1
]


def gaps(system, published) -> list[float]:
    """Return distances from the published values in units of the sum of both 95 % intervals."""
    reference = certificate(system).reference
    pairs = zip(reference.exponents, reference.intervals, published, strict=False)
    return [abs(ours - theirs) / (interval + width + 1e-6) for ours, interval, (theirs, width) in pairs]


@pytest.mark.parametrize(("system", "published"), PUBLISHED, ids=lambda value: getattr(value, "label", None))
def test_largest_shipped_exponents_agree_with_published_ones(system, published):
    """They differ by less than the sum of both intervals."""
    assert gaps(system, published)[0] <= 1


def test_shipped_spectra_agree_with_published_ones():
    """By chance some exponents differ by more than the sum of the intervals: at most one in twenty, and none by far."""
    every = [gap for system, published in PUBLISHED for gap in gaps(system, published)]
    assert len(every) > 40
    assert sum(gap > 1 for gap in every) <= len(every) / 20
    assert max(every) <= 1.5


@pytest.mark.slow
@by_label
def test_a_certificate_is_reproduced_from_other_initial_states(system):
    """Among ninety exponents, a difference of 1.5 times the sum of both intervals (4.2 standard errors) is unlikely.

    The budget is CPU time: on a busy machine orbits would become too short for systems with slow transients.
    """
    shipped, again = certificate(system).reference, certify(system, budget=30.0, seed=1, clock=time.process_time)
    assert again.passed
    assert again.regime == certificate(system).regime
    shear = shipped.resolution + again.reference.resolution if system.neutral > 1 else 0.0
    for index, exponent in enumerate(again.reference.exponents):
        allowed = 1.5 * (shipped.intervals[index] + again.reference.intervals[index] + shear) + 1e-6
        assert abs(exponent - shipped.exponents[index]) <= allowed
