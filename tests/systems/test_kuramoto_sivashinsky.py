import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch.testing import assert_close

from chaosbench.dynamics import orbit
from chaosbench.systems import KuramotoSivashinsky

flame = KuramotoSivashinsky()


@pytest.fixture(scope="module")
def states() -> torch.Tensor:
    """Four states after fifty units of time, when the initial noise is smooth."""
    return orbit(flame, flame.random_starts(4, torch.Generator().manual_seed(0)), steps=200)[:, -1]


def test_the_field_of_a_sine_has_a_closed_form():
    """For u = a sin kx: u_t = -a^2 k sin 2kx / 2 + a (k^2 - k^4) sin kx; k^4 = 7000 amplifies rounding errors."""
    wave = 2 * math.pi * 3 / flame.length
    x = flame.length * torch.arange(flame.size, dtype=torch.float64) / flame.size
    expected = -(0.7**2) * wave * (2 * wave * x).sin() / 2 + 0.7 * (wave**2 - wave**4) * (wave * x).sin()
    assert_close(flame.vector_field(0.7 * (wave * x).sin()), expected, atol=1e-11, rtol=0)


def test_the_mean_is_zero_and_conserved(states):
    path = orbit(flame, states, steps=20)
    assert_close(path.mean(-1), torch.zeros(4, 20, dtype=torch.float64), atol=1e-13, rtol=0)
    assert_close(flame.step(states + 0.3).mean(-1), torch.full((4,), 0.3, dtype=torch.float64), atol=1e-13, rtol=0)


def test_a_step_commutes_with_translation(states):
    assert_close(flame.step(states.roll(5, -1)), flame.step(states).roll(5, -1), atol=1e-12, rtol=0)


def test_a_step_commutes_with_reflection(states):
    """The reflection maps u(x) to -u(-x)."""

    def reflected(u):
        return -u.flip(-1).roll(1, -1)

    assert_close(flame.step(reflected(states)), reflected(flame.step(states)), atol=1e-12, rtol=0)


def test_an_orbit_equals_that_of_a_finer_step(states):
    """The method has fourth order; the largest error per unit of time is 2e-6 standard deviations."""
    fine = KuramotoSivashinsky(substeps=64)
    assert_close(orbit(flame, states, steps=4), orbit(fine, states, steps=4), atol=2e-5, rtol=0)


def test_an_orbit_on_a_coarse_grid_equals_an_adaptive_solution():
    """With twenty points the equation is not stiff, so that an explicit method can solve it."""
    coarse = KuramotoSivashinsky(size=20, substeps=32)
    x = 2 * math.pi * torch.arange(20, dtype=torch.float64) / 20
    start = x.cos() + 0.5 * (2 * x).sin()

    def field(_, state):
        return coarse.vector_field(torch.from_numpy(state)).numpy()

    truth = solve_ivp(field, (0, 1), start.numpy(), method="DOP853", rtol=1e-12, atol=1e-12, t_eval=np.array([1.0]))
    assert_close(orbit(coarse, start, steps=4)[-1], torch.from_numpy(truth.y[:, 0].copy()), atol=1e-7, rtol=0)


def test_a_finer_grid_gives_the_same_step(states):
    """64 points resolve the solution, so a grid of 128 points gives the same values at the common points."""
    modes = torch.fft.rfft(states)
    modes[:, 22:] = 0  # modes that products keep on both grids
    start = torch.fft.irfft(modes, n=64)
    finer = torch.fft.irfft(2 * torch.nn.functional.pad(modes, (0, 32)), n=128)
    stepped = KuramotoSivashinsky(size=128).step(finer)[..., ::2]
    assert_close(flame.step(start), stepped, atol=1e-5, rtol=0)
