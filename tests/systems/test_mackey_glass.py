import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.integrate import solve_ivp
from torch.testing import assert_close

from chaosbench.dynamics import orbit
from chaosbench.systems import MackeyGlass

mackey_glass = MackeyGlass()


def test_the_constant_history_does_not_change():
    """The fixed point is x = (beta / gamma - 1)^(1 / n), which is 1 for the default parameters."""
    point = torch.ones(mackey_glass.state_size, dtype=torch.float64)
    assert_close(mackey_glass.step(point), point, atol=1e-14, rtol=0)


def test_without_production_the_concentration_decays_exponentially():
    """The method integrates the loss exactly."""
    dying = MackeyGlass(beta=0.0)
    start = torch.linspace(0.5, 1.5, dying.state_size, dtype=torch.float64)
    path = dying.observe(orbit(dying, start, steps=30))[:, 0]
    times = torch.arange(1, 31, dtype=torch.float64)
    assert_close(path, 0.5 * torch.exp(-0.1 * times), atol=1e-14, rtol=0)


@pytest.mark.parametrize("substeps", [4, 16])
def test_the_first_delay_equals_an_adaptive_solution(substeps):
    """With the history cos(0.4 t) / 4 + 0.9 in closed form, one delay is an ordinary differential equation.

    The interpolation error is (h / time scale)^6: 1e-5 of the production per unit of time at h = 1 / 4, for a history
    that passes through the steepest part of the production.
    """
    system = MackeyGlass(substeps=substeps)

    def history(time):
        return 0.9 + 0.25 * np.cos(0.4 * time)

    def field(time, x):
        past = history(time - 17.0)
        return 0.2 * past / (1 + past**10) - 0.1 * x

    truth = solve_ivp(field, (0, 17), [history(0.0)], method="DOP853", rtol=1e-12, atol=1e-13, t_eval=np.arange(18.0))
    start = torch.from_numpy(history(-np.arange(system.state_size) / substeps))
    observed = system.observe(orbit(system, start, steps=17))[:, 0]
    assert_close(observed, torch.from_numpy(truth.y[0, 1:].copy()), atol=1e-5 / 4 ** (substeps > 4) ** 6, rtol=0)


def test_more_samples_reduce_the_error_of_a_step():
    """The error shrinks by 2^6 for one state; the history's ends and the maximum over states cost a factor of eight."""
    assert mackey_glass.step_error() < 1e-7
    assert mackey_glass.step_error() < MackeyGlass(substeps=2).step_error() / 2**3


def test_a_step_shifts_the_history():
    start = torch.rand(mackey_glass.state_size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(mackey_glass.step(start)[4:], start[:-4])
    assert mackey_glass.state_size == 17 * 4 + 1
    assert mackey_glass.dimension == 1


def test_a_step_may_span_the_whole_delay():
    """The matrix product then uses the whole history; two half steps give the same state."""
    start = 0.9 + 0.2 * torch.linspace(0, math.pi, 41, dtype=torch.float64).sin()
    whole, half = MackeyGlass(tau=10.0, dt=10.0, substeps=40), MackeyGlass(tau=10.0, dt=5.0, substeps=20)
    assert_close(whole.step(start), orbit(half, start, steps=2)[-1], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tau": 17.1}, "multiple"),
        ({"tau": 1.0}, "too short"),
        ({"tau": 4.0, "dt": 8.0, "substeps": 32}, "too short"),
        ({"tau": -3.0}, "greater than 0"),
    ],
)
def test_a_delay_that_is_negative_too_short_or_not_a_multiple_of_the_sampling_interval_is_rejected(fields, message):
    with pytest.raises(ValidationError, match=message):
        MackeyGlass(**fields)
