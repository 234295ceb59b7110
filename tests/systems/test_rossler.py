import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch.testing import assert_close

from chaosbench.dynamics import lyapunov_spectrum, orbit
from chaosbench.systems import Rossler

rossler = Rossler()


def test_the_inner_fixed_point_does_not_move():
    """The point is z = (c - sqrt(c^2 - 4 a b)) / (2 a), y = -z, x = a z."""
    z = (5.7 - (5.7**2 - 4 * 0.2 * 0.2) ** 0.5) / (2 * 0.2)
    point = torch.tensor([0.2 * z, -z, z], dtype=torch.float64)
    assert_close(rossler.vector_field(point), torch.zeros(3, dtype=torch.float64), atol=1e-13, rtol=0)


def test_an_orbit_of_one_unit_of_time_equals_an_adaptive_solution():
    """The orbit starts in the fold, where the field is fastest; the step's error is at most 1e-8 per unit of time."""
    start = torch.tensor([9.0, -3.0, 4.0], dtype=torch.float64)
    fine = Rossler(dt=0.05)

    def field(_, state):
        return fine.vector_field(torch.from_numpy(state)).numpy()

    times = np.linspace(0, 1, 21)
    truth = solve_ivp(field, (0, 1), start.numpy(), method="DOP853", rtol=1e-12, atol=1e-12, t_eval=times)
    assert_close(orbit(fine, start, steps=20), torch.from_numpy(truth.y.T[1:].copy()), atol=1e-8, rtol=0)


def test_exponents_sum_to_the_mean_trace():
    """The trace is a + x - c, averaged along the same orbit by the trapezoidal rule (error of order dt^2)."""
    start = torch.tensor([[1.0, 1.0, 0.0], [5.0, -3.0, 1.0]], dtype=torch.float64)
    spectrum = lyapunov_spectrum(rossler, start, steps=500, dt=rossler.dt)
    path = torch.cat([start[:, None], orbit(rossler, start, steps=500)], dim=1)
    mean_trace = torch.trapezoid(rossler.a + path[..., 0] - rossler.c, dx=rossler.dt) / (500 * rossler.dt)
    assert_close(spectrum.sum(-1), mean_trace, atol=1e-3, rtol=0)
