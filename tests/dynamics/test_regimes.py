import math

import pytest
import torch
from solvable_maps import lozi, tent

from chaosbench.dynamics import motion, periods, regime, shortest_period

SMALL = (0.01, 0.01, 0.01)


def test_a_positive_exponent_is_chaos():
    assert regime((0.5, 0.0, -2.0), SMALL, neutral=1, period=None) == "chaotic"


def test_a_flow_with_one_zero_exponent_is_periodic_and_with_two_quasi_periodic():
    assert regime((0.001, -0.5, -2.0), SMALL, neutral=1, period=None) == "periodic"
    assert regime((0.001, -0.005, -2.0), SMALL, neutral=1, period=None) == "quasi-periodic"


def test_a_flow_without_a_zero_exponent_is_at_a_fixed_point():
    assert regime((-0.2, -0.5, -2.0), SMALL, neutral=1, period=None) == "fixed point"


def test_a_map_is_classified_by_its_period_and_without_a_period_by_its_zero_exponent():
    assert regime((-0.2,), SMALL[:1], neutral=0, period=1) == "fixed point"
    assert regime((-0.2,), SMALL[:1], neutral=0, period=6) == "periodic"
    assert regime((0.001,), SMALL[:1], neutral=0, period=None) == "quasi-periodic"


def test_the_period_of_a_rotation_by_a_rational_part_of_a_turn_is_its_denominator():
    for turn, period in ((1 / 7, 7), (3 / 8, 8), (0.5 * (5**0.5 - 1), None)):
        sine, cosine = math.sin(2 * math.pi * turn), math.cos(2 * math.pi * turn)
        rotation = torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float64)
        start = torch.tensor([[1.0, 0.0], [0.3, 0.4]], dtype=torch.float64)
        assert shortest_period(lambda z, r=rotation: z @ r.mT, start) == period


def logistic(r):
    return lambda x: r * x * (1 - x)


def rotation(turn):
    sine, cosine = math.sin(2 * math.pi * turn), math.cos(2 * math.pi * turn)
    turned = torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float64)
    return lambda z: z @ turned.mT


def spread(low, high, *shape):
    return low + (high - low) * torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


GOLDEN = 0.5 * (5**0.5 - 1)


@pytest.mark.parametrize(
    ("step", "starts", "expected", "period", "exponent"),
    [
        (logistic(2.5), spread(0.1, 0.9, 4, 1), "fixed point", 1, math.log(0.5)),  # |2 - r|
        (logistic(3.2), spread(0.1, 0.9, 4, 1), "periodic", 2, math.log(0.16) / 2),  # |4 + 2 r - r^2|
        (logistic(3.5), spread(0.1, 0.9, 4, 1), "periodic", 4, None),
        (logistic(4.0), spread(0.1, 0.9, 4, 1), "chaotic", 0, math.log(2)),
        (rotation(GOLDEN), spread(-1, 1, 4, 2), "quasi-periodic", 0, 0.0),
        (rotation(3 / 8), spread(-1, 1, 4, 2), "periodic", 8, 0.0),
        (lambda z: 0.9 * z, spread(-1, 1, 4, 2), "fixed point", 1, math.log(0.9)),
        (lambda z: 1.1 * z * z.abs(), spread(2, 3, 4, 2), "divergent", 0, None),
        (tent(1.9), spread(-0.4, 0.4, 4, 1), "chaotic", 0, math.log(1.9)),
        (lozi(), spread(-0.1, 0.1, 4, 2), "chaotic", 0, 0.4704),
    ],
)
def test_the_regime_of_a_map_equals_its_closed_form(step, starts, expected, period, exponent):
    """Maps of constant slope agree up to rounding, the others within the interval estimated from the orbit."""
    motions = motion(step, starts, steps=2_000, transient=500)
    assert motions.regimes() == [expected] * 4
    assert motions.periods.tolist() == [period] * 4
    if exponent is not None:
        error = (motions.exponents[:, 0] - exponent).abs()
        assert bool((error <= 2 * motions.intervals[:, 0] + 1e-4).all()), error


def test_members_of_an_ensemble_may_have_different_regimes():
    """Orbits of x' = x^3 converge to zero from within (-1, 1), and escape from outside."""
    motions = motion(lambda x: x**3, torch.tensor([[0.5], [1.5]], dtype=torch.float64), steps=50, transient=20)
    assert motions.regimes() == ["fixed point", "divergent"]


def test_an_orbit_that_moves_very_slowly_is_not_a_fixed_point():
    """For a turn by 1e-9 of the circle, one step is shorter than the tolerance, but 256 steps are not."""
    start = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    assert periods(rotation(1e-9), start, tolerance=1e-8).tolist() == [0]
    assert periods(rotation(0.0), start, tolerance=1e-8).tolist() == [1]


def test_a_cycle_is_detected_in_single_precision():
    starts = spread(0.1, 0.9, 4, 1).float()
    assert motion(logistic(3.2), starts, steps=500, transient=500).regimes() == ["periodic"] * 4
