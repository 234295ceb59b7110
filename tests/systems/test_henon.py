import math

import torch
from torch.testing import assert_close

from chaosbench.dynamics import lyapunov_spectrum
from chaosbench.systems import Henon

henon = Henon()


def test_the_fixed_point_does_not_move():
    """The point is x = (b - 1 + sqrt((1 - b)^2 + 4 a)) / (2 a), y = b x."""
    x = (-0.7 + math.sqrt(0.49 + 5.6)) / 2.8
    point = torch.tensor([x, 0.3 * x], dtype=torch.float64)
    assert_close(henon.step(point), point, atol=1e-15, rtol=0)


def test_exponents_sum_to_the_logarithm_of_b():
    """|det J| = b everywhere, so the exponents of any orbit sum to ln b."""
    start = henon.initial_state(4, torch.Generator().manual_seed(0))
    spectrum = lyapunov_spectrum(henon, start, steps=500)
    assert_close(spectrum.sum(-1), torch.full((4,), math.log(henon.b), dtype=torch.float64), atol=1e-9, rtol=0)


def test_exponents_of_the_area_preserving_map_are_opposite():
    """For b = 1, |det J| = 1 everywhere, so the two exponents of every orbit sum to zero."""
    start = torch.tensor([[0.1, 0.1], [0.2, -0.1]], dtype=torch.float64)
    spectrum = lyapunov_spectrum(Henon(a=0.2, b=1.0), start, steps=500)
    assert_close(spectrum[:, 0], -spectrum[:, 1], atol=1e-12, rtol=0)
