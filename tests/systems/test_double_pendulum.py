import math

import pytest
import torch
from torch.testing import assert_close

from chaosbench.dynamics import VectorField
from chaosbench.exponents.conservation import energy_drift
from chaosbench.systems import DoublePendulum


def generator():
    return torch.Generator().manual_seed(0)


def test_the_field_follows_from_the_energy():
    """Hamilton's equations: angles change by dH/dp, momenta by -dH/da."""
    system, states = DoublePendulum(gravity=9.81), torch.randn(20, 4, dtype=torch.float64, generator=generator())
    leaf = states.clone().requires_grad_()
    (slope,) = torch.autograd.grad(system.energy(leaf).sum(), leaf)
    expected = torch.cat([slope[:, 2:], -slope[:, :2]], dim=-1)
    assert_close(system.vector_field(states), expected, atol=1e-13, rtol=1e-13)


@pytest.mark.parametrize("gravity", [1.0, 9.81])
def test_small_oscillations_have_the_exact_frequencies(gravity):
    """The squares are g (2 - sqrt 2) and g (2 + sqrt 2), for equal masses and rods."""
    system = DoublePendulum(gravity=gravity)
    jacobian = VectorField(system.vector_field).jacobian(torch.zeros(1, 4, dtype=torch.float64))[0]
    values = torch.linalg.eigvals(jacobian)
    expected = sorted(sign * math.sqrt(gravity * (2 + root * math.sqrt(2))) for sign in (1, -1) for root in (1, -1))
    assert sorted(values.imag.tolist()) == pytest.approx(expected, rel=1e-12)
    assert float(values.real.abs().max()) < 1e-12


def test_random_starts_have_the_energy_of_the_start():
    system = DoublePendulum()
    starts = system.random_starts(50, generator())
    assert_close(system.energy(starts), torch.full((50,), -0.5, dtype=torch.float64), atol=1e-13, rtol=0)
    assert float(starts.std(0).min()) > 0.01


@pytest.mark.parametrize("method", ["dop853", "gauss"])
def test_the_energy_is_conserved(method):
    """Half the step leaves 2^-8 of the error; its largest value among a few times varies by a factor of four."""
    system, start = DoublePendulum(method=method), torch.tensor([DoublePendulum.start], dtype=torch.float64)
    coarse, fine = (float(energy_drift(system.replaced(dt=dt), start, steps=round(8 / dt))) for dt in (0.2, 0.1))
    assert fine < coarse / 2**6
    assert float(energy_drift(system, start, steps=200)) < 1e-9


def test_observed_angles_do_not_grow():
    state = torch.tensor([7.0, -9.0, 1.0, 2.0], dtype=torch.float64)
    turned = state + torch.tensor([2 * math.pi, -4 * math.pi, 0.0, 0.0], dtype=torch.float64)
    assert_close(DoublePendulum().observe(turned), DoublePendulum().observe(state), atol=1e-14, rtol=0)
