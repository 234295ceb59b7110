import numpy as np
import pytest
import scipy.stats
from drawn import line, words

from chaosbench.figures.convergence import interval_of_mean, lyapunov_convergence

pytest.importorskip("matplotlib")

STEPS = np.array([10, 100, 1000])


def running(*exponents, conditions=4):
    """Return estimates that are 1 / steps too large in half of the conditions and too small in the others."""
    signs = np.where(np.arange(conditions) % 2, 1.0, -1.0)
    return np.array(exponents) + (signs[:, None] / STEPS)[:, :, None]


def test_the_interval_is_that_of_students_t():
    values = np.random.default_rng(0).normal(size=(7, 3))
    mean, half = interval_of_mean(values)
    low, high = scipy.stats.t.interval(0.95, 6, loc=values.mean(0), scale=scipy.stats.sem(values))
    assert mean - half == pytest.approx(low)
    assert mean + half == pytest.approx(high)


def test_the_mean_over_conditions_is_drawn_with_the_systems_exponent():
    figure = lyapunov_convergence(STEPS, running(0.9, 0.0, -14.6, -20.0), reference=np.array([0.91]))
    assert len(figure.axes) == 3, "only three exponents are shown"
    for number, (axes, value) in enumerate(zip(figure.axes, (0.9, 0.0, -14.6), strict=True), start=1):
        assert line(axes, "model, mean over free runs").get_ydata() == pytest.approx(value, abs=1e-12)
        assert axes.get_ylabel() == f"{['λ₁', 'λ₂', 'λ₃'][number - 1]} [1 / system time]"
        assert axes.get_xlabel() == "averaged over [steps]"
    assert list(line(figure.axes[0], "system").get_ydata()) == [0.91, 0.91]
    assert not [curve for curve in figure.axes[1].get_lines() if curve.get_label() == "system"]


def test_the_y_range_covers_late_estimates_and_the_reference():
    (axes,) = lyapunov_convergence(STEPS, running(0.9), reference=np.array([0.95])).axes
    low, high = axes.get_ylim()
    assert low < 0.89
    assert 0.95 < high < 1.1


def test_free_runs_that_diverged_are_counted_and_left_out():
    some = running(0.9)
    some[0, 2:] = np.nan
    figure = lyapunov_convergence(STEPS, some)
    assert "1 of 4 free runs diverged" in words(figure)
    assert line(figure.axes[0], "model, mean over free runs").get_ydata() == pytest.approx(some[1:, :, 0].mean(0))
    assert "diverged" in words(lyapunov_convergence(STEPS, np.full((2, 3, 1), np.nan)))


def test_a_single_condition_and_a_fixed_exponent_are_drawn():
    (axes,) = lyapunov_convergence(STEPS, np.zeros((1, 3, 1)), reference=np.array([0.0])).axes
    assert not axes.collections, "a single condition has no interval"
