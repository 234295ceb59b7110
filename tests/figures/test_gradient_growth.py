from math import log

import numpy as np
import pytest
import torch
from drawn import entries, line, words

from chaosbench.dynamics import jacobian_growth
from chaosbench.figures.gradient_growth import gradient_growth, measured_slopes

pytest.importorskip("matplotlib")

HORIZONS = np.array([1, 2, 4, 8, 16, 32, 64, 128])


def straight(*slopes):
    return np.stack([2.0 + slope * HORIZONS for slope in slopes])


def test_the_measured_slope_of_a_map_that_doubles_is_log_two():
    """dz_T/dz_0 = 2^T exactly, so the slope differs from ln 2 only by rounding in single precision, 1e-7 of 89 nats."""
    growth = jacobian_growth(lambda state: 2 * state % 1, torch.tensor([[0.1], [0.3]]), steps=128)
    curves = growth.numpy()[:, HORIZONS - 1]
    assert measured_slopes(HORIZONS, curves) == pytest.approx([log(2)] * 2, abs=1e-6)


def test_a_transient_does_not_affect_the_slope():
    """Changes before the last four octaves, 8 steps of 128, affect neither the slope nor the start of the lines."""
    bent = straight(0.1)
    bent[:, HORIZONS < 8] -= 5
    assert measured_slopes(HORIZONS, bent) == pytest.approx([0.1])
    (axes,) = gradient_growth(HORIZONS, bent, exponents=np.array([0.1])).axes
    assert line(axes, "model's λ₁ = 0.1 / step").get_ydata()[0] == pytest.approx(2.0)


def test_lines_are_drawn_through_the_mean_of_the_fitted_horizons():
    """A least-squares line passes through the mean of its points, here horizons of 8 to 128 steps."""
    noisy = straight(0.1) + np.random.default_rng(0).normal(size=(1, len(HORIZONS)))
    slope, start = np.polyfit(HORIZONS[3:], noisy[0, 3:], 1)
    assert measured_slopes(HORIZONS, noisy) == pytest.approx([slope])
    (axes,) = gradient_growth(HORIZONS, noisy, exponents=measured_slopes(HORIZONS, noisy)).axes
    (drawn,) = (curve for curve in axes.get_lines() if str(curve.get_label()).startswith("model's"))
    assert drawn.get_ydata()[0] == pytest.approx(start)


def test_the_line_of_the_models_exponent_lies_on_a_curve_that_grows_with_it():
    (axes,) = gradient_growth(HORIZONS, straight(0.1), exponents=np.array([0.1]), data_exponent=0.05).axes
    start, stop = line(axes, "model's λ₁ = 0.1 / step").get_ydata()
    assert (start, stop) == pytest.approx((2.0, 2.0 + 0.1 * 128))
    start, stop = line(axes, "system's λ₁ = 0.05 / step").get_ydata()
    assert (start, stop) == pytest.approx((2.0, 2.0 + 0.05 * 128)), "it starts where the curve does"
    assert "seed 0, slope γ = 0.1 / step" in entries(axes)


def test_the_seed_with_the_median_slope_is_labelled():
    exponents = np.array([0.1, np.nan, 0.3, 0.21])
    (axes,) = gradient_growth(HORIZONS, straight(0.1, np.nan, 0.7, 0.2), exponents=exponents, seeds=[5, 6, 7, 8]).axes
    assert list(line(axes, "seed 8, slope γ = 0.2 / step").get_ydata()) == list(straight(0.2)[0])
    assert "model's λ₁ = 0.21 / step" in entries(axes)
    assert entries(axes).count("each seed, trained") == 1
    assert len([curve for curve in axes.get_lines() if curve.get_label() == "each seed, trained"]) == 4


def test_given_slopes_are_labelled_instead_of_measured_ones():
    (axes,) = gradient_growth(HORIZONS, straight(0.1), slopes=np.array([0.11])).axes
    assert "seed 0, slope γ = 0.11 / step" in entries(axes)


def test_the_expected_gradient_of_parameters_is_constant_where_states_converge():
    """Theorem 1 of Mikhaeil et al. 2022: bounded for every horizon, whatever the exponent."""
    figure = gradient_growth(
        HORIZONS,
        straight(-0.5),
        parameter_horizons=HORIZONS,
        parameters=straight(0.0),
        exponents=np.array([-0.5]),
        data_exponent=0.1,
    )
    state, parameters = figure.axes
    assert list(line(state, "model's λ₁ = -0.5 / step").get_ydata()) == pytest.approx([2, 2 - 0.5 * 128])
    assert list(line(parameters, "model's λ₁ < 0: no growth").get_ydata()) == [2, 2]
    assert "system's λ₁ = 0.1 / step" in entries(parameters)


def test_a_zero_gradient_is_reported():
    zero = np.full((2, 8), -np.inf)
    state, parameters = (figure := gradient_growth(HORIZONS, zero, parameter_horizons=HORIZONS, parameters=zero)).axes
    assert words(figure).count("zero at every horizon") == 2
    assert not any(np.isfinite(curve.get_ydata()).any() for axes in (state, parameters) for curve in axes.get_lines())


def test_an_exponent_of_zero_is_labelled_as_zero():
    figure = gradient_growth(
        HORIZONS, straight(0.0), parameter_horizons=HORIZONS, parameters=straight(0.0), exponents=np.zeros(1)
    )
    assert all("model's λ₁ = 0 / step" in entries(axes) for axes in figure.axes)


def test_vanishing_products_are_drawn():
    curves = straight(0.1, -0.5)
    curves[1, 3:] = -np.inf
    (axes,) = gradient_growth(HORIZONS, curves, slopes=np.array([0.1, -np.inf])).axes
    assert "seed 0, slope γ = 0.1 / step" in entries(axes)
    gradient_growth(HORIZONS, np.full((1, 8), -np.inf)).draw_without_rendering()


def test_a_diverged_seed_is_counted_and_the_others_are_drawn():
    curves = straight(0.1, 0.1, 0.1)
    curves[0, 3:] = np.nan
    (axes,) = (figure := gradient_growth(HORIZONS, curves)).axes
    assert "1 of 3 seeds diverged" in words(figure)
    assert "seed 1, slope γ = 0.1 / step" in entries(axes)
    assert "diverged" in words(gradient_growth(HORIZONS, np.full((2, 8), np.nan), exponents=np.full(2, np.nan)))


def test_a_seed_that_falls_steeply_does_not_flatten_the_others():
    (axes,) = gradient_growth(
        HORIZONS, straight(0.1, 0.1, -50.0), initial_horizons=HORIZONS, initial=straight(-80.0)
    ).axes
    low, high = axes.get_ylim()
    assert high > 2 + 0.1 * 128
    assert low > -30


def test_products_cut_to_zero_are_hatched_and_the_interval_is_marked():
    forced = np.where(HORIZONS <= 8, 0.1 * HORIZONS, -np.inf)[None]
    figure = gradient_growth(
        HORIZONS,
        straight(0.1),
        parameter_horizons=HORIZONS[::2],
        parameters=straight(0.1)[:, ::2],
        forced_horizons=HORIZONS,
        forced=forced,
        chain=8,
    )
    titles = [axes.get_title() for axes in figure.axes]
    assert ["forced" in title for title in titles] == [False, False, True]
    last = figure.axes[2]
    assert entries(last) == ["each seed, trained", "cut after 8 steps", "zero"]
    (hatched,) = last.patches
    assert (hatched.get_x(), hatched.get_x() + hatched.get_width()) == (16, 128)
    assert "zero at every horizon" in words(
        gradient_growth(HORIZONS, straight(0.1), forced_horizons=HORIZONS, forced=np.full((1, 8), -np.inf))
    )


def test_damped_products_are_not_marked_as_zero():
    figure = gradient_growth(HORIZONS, straight(0.1), forced_horizons=HORIZONS, forced=straight(-0.3))
    assert entries(figure.axes[1]) == ["each seed, trained"]


def test_axes_have_units_and_lines_differ_by_more_than_colour():
    figure = gradient_growth(
        HORIZONS,
        straight(0.1),
        initial_horizons=HORIZONS,
        initial=straight(-0.1),
        exponents=np.array([0.1]),
        data_exponent=0.05,
    )
    (axes,) = figure.axes
    assert axes.get_xlabel() == "horizon T [steps]"
    assert axes.get_ylabel().endswith("[nats]")
    assert len({str(curve.get_linestyle()) + str(curve.get_linewidth()) for curve in axes.get_lines()}) >= 4
