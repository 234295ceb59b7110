"""Claims that are checked while the page is generated."""

import pytest
import torch
from torch.testing import assert_close

from chaosbench.systems import Lorenz63
from docs.generate.checks import flossed, projection_error


@pytest.mark.parametrize("target", [0.0, "system"])
def test_flossing_leaves_at_most_a_fifth_of_the_distance_to_the_target(target):
    """Check the published claim; exponents are computed by another routine over ten times as many steps."""
    spectra = flossed(target)
    assert spectra.remaining < 0.2
    assert (spectra.after > spectra.before).all()
    expected = torch.zeros(3) if target == 0 else 0.01 * torch.tensor(Lorenz63().reference.exponents)
    assert_close(spectra.target, expected.double(), rtol=1e-6, atol=1e-9)


def test_exponents_hardly_move_in_a_single_update():
    """One update at a rate of 0.02 changes a singular value by at most 8 * 0.02 = 0.16.

    The first exponent, ln 0.54, therefore changes by at most ln(0.70 / 0.54) = 0.26.
    """
    assert 0.5 < flossed(0.0, updates=1).remaining < 1


def test_forward_mode_gives_the_projected_gradient_up_to_rounding():
    """Sums of 33 steps and 300 weights in float64: 1e-16 times a few hundred."""
    assert projection_error() < 1e-12
