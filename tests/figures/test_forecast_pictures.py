"""Pictures of forecasts against the truth, and of the growth of their errors."""

import numpy as np
import pytest
import torch
from drawn import burst, line, spiral, words

from chaosbench.figures.error_growth import error_growth
from chaosbench.figures.forecasts import forecasts, valid_steps
from chaosbench.metrics import valid_prediction_time

RATE, DT = 0.9, 0.05


def test_the_drawn_slope_is_the_exponent_and_time_is_in_lyapunov_times():
    """An error that grows at the exponent lies on the line, whose slope per Lyapunov time is 1."""
    error = 1e-6 * np.exp(RATE * DT * np.arange(1, 201))[None]
    axes = error_growth(error, dt=DT, exponent=RATE).axes[0]
    time, slope = line(axes, "growth at the largest exponent").get_data()
    np.testing.assert_allclose(slope, error[0])
    np.testing.assert_allclose(np.diff(np.log(slope)) / np.diff(time), 1.0)
    assert "Lyapunov times" in axes.get_xlabel()


@pytest.mark.parametrize("exponent", [np.nan, 0.0, -1.0])
def test_without_chaos_there_is_no_slope(exponent):
    axes = error_growth(np.ones((2, 5)), dt=DT, exponent=exponent, twin=np.ones(5)).axes[0]
    assert "growth at the largest exponent" not in [drawn.get_label() for drawn in axes.get_lines()]
    assert "system time" in axes.get_xlabel()


def test_the_marked_time_is_the_valid_prediction_time():
    truth = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    forecast = truth + np.linspace(0, 1, 50)[:, None]
    time = valid_prediction_time(torch.from_numpy(forecast), torch.from_numpy(truth), dt=1.0, scale=torch.ones(3))
    assert valid_steps(forecast, truth) == int(time)
    axes = forecasts(forecast[None], truth[None], dt=DT, exponent=RATE).axes[0]
    assert line(axes, "valid until here").get_xdata()[0] == pytest.approx(float(time) * DT * RATE)


def test_one_orbit_shows_all_observables_and_several_show_one_each():
    truth = np.stack([spiral(60, 2)] * 5)
    assert sum(axes.get_visible() for axes in forecasts(truth[:1], truth[:1], dt=DT).axes) == 2
    several = forecasts(0.9 * truth, truth, dt=DT)
    assert sum(axes.get_visible() for axes in several.axes) == 5
    assert "test orbit 4" in words(several)


def test_a_diverged_forecast_says_so():
    truth = spiral(60, 1)[None]
    assert "diverged" in words(forecasts(burst(truth[0], after=0)[None], truth, dt=DT))
