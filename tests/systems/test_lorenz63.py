import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch.testing import assert_close

from chaosbench.dynamics import lyapunov_spectrum, orbit
from chaosbench.systems import Lorenz63

lorenz = Lorenz63()


def test_the_fixed_points_do_not_move():
    """The points are the origin and x = y = +-sqrt(beta (rho - 1)), z = rho - 1."""
    side = (lorenz.beta * (lorenz.rho - 1)) ** 0.5
    points = torch.tensor([[0, 0, 0], [side, side, 27], [-side, -side, 27]], dtype=torch.float64)
    assert_close(lorenz.vector_field(points), torch.zeros(3, 3, dtype=torch.float64), atol=1e-13, rtol=0)


def test_an_orbit_of_one_unit_of_time_equals_an_adaptive_solution():
    start = torch.tensor([-8.0, 7.0, 27.0], dtype=torch.float64)

    def field(_, state):
        return lorenz.vector_field(torch.from_numpy(state)).numpy()

    times = np.linspace(0, 1, 101)
    truth = solve_ivp(field, (0, 1), start.numpy(), method="DOP853", rtol=1e-12, atol=1e-12, t_eval=times)
    assert_close(orbit(lorenz, start, steps=100), torch.from_numpy(truth.y.T[1:].copy()), atol=1e-8, rtol=0)


def test_exponents_sum_to_the_trace():
    """The trace of the field's Jacobian is -(sigma + 1 + beta) everywhere; the method adds 2e-11 per unit of time."""
    start = torch.tensor([[-8.0, 7.0, 27.0], [1.0, 1.0, 20.0]], dtype=torch.float64)
    spectrum = lyapunov_spectrum(lorenz, start, steps=200, every=5, dt=lorenz.dt)
    assert_close(spectrum.sum(-1), torch.full((2,), -(10 + 1 + 8 / 3), dtype=torch.float64), atol=1e-8, rtol=0)


@pytest.mark.slow
def test_exponents_equal_the_published_ones():
    """Sprott 2003, Chaos and Time-Series Analysis, gives 0.9056, 0, -14.572; the tolerance is four standard errors.

    Exponents do not depend on the step; a coarse one (error 2e-7 per unit of time) saves time.
    """
    coarse = Lorenz63(dt=0.03)
    start = coarse.initial_state(1024, torch.Generator().manual_seed(0))
    spectrum = lyapunov_spectrum(coarse, start, steps=4000, transient=200, every=5, dt=coarse.dt).mean(0)
    published = torch.tensor([0.9056, 0.0, -14.572], dtype=torch.float64)
    assert_close(spectrum, published, atol=0.005, rtol=0)
    assert float(spectrum.sum()) == pytest.approx(-13.6667, abs=1e-3)
