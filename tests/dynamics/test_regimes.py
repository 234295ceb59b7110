import math

import torch

from chaosbench.dynamics import regime, shortest_period

SMALL = (0.01, 0.01, 0.01)


def test_a_positive_exponent_is_chaos():
    assert regime((0.5, 0.0, -2.0), SMALL, neutral=1, period=None) == "chaotic"


def test_a_flow_with_one_zero_is_periodic_and_with_two_quasi_periodic():
    assert regime((0.001, -0.5, -2.0), SMALL, neutral=1, period=None) == "periodic"
    assert regime((0.001, -0.005, -2.0), SMALL, neutral=1, period=None) == "quasi-periodic"


def test_a_flow_without_a_zero_rests():
    assert regime((-0.2, -0.5, -2.0), SMALL, neutral=1, period=None) == "fixed point"


def test_a_map_is_told_by_its_period_and_without_one_by_its_zero():
    assert regime((-0.2,), SMALL[:1], neutral=0, period=1) == "fixed point"
    assert regime((-0.2,), SMALL[:1], neutral=0, period=6) == "periodic"
    assert regime((0.001,), SMALL[:1], neutral=0, period=None) == "quasi-periodic"


def test_the_period_of_a_rotation_by_a_rational_part_of_a_turn_is_its_denominator():
    for turn, period in ((1 / 7, 7), (3 / 8, 8), (0.5 * (5**0.5 - 1), None)):
        sine, cosine = math.sin(2 * math.pi * turn), math.cos(2 * math.pi * turn)
        rotation = torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float64)
        start = torch.tensor([[1.0, 0.0], [0.3, 0.4]], dtype=torch.float64)
        assert shortest_period(lambda z, r=rotation: z @ r.mT, start) == period
