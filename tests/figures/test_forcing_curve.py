import numpy as np
import pytest
from drawn import entries, line, words

from chaosbench.figures.forcing_curve import forcing_curve

pytest.importorskip("matplotlib")

INTERVALS = np.array([5, 30, 200])
RNN_SCORES = [[2.0, 1.0, 3.0], [0.5, 0.4, 0.1], [np.inf, np.inf, 9.0]]
LSTM_SCORES = [[4.0, 5.0, np.nan], [4.0, 5.0, np.nan], [np.nan, np.nan, np.nan]]
VALUES = np.array([RNN_SCORES, LSTM_SCORES])


def curve(axes, name):
    return list(line(axes, name).get_ydata())


def test_each_model_has_a_line_through_its_medians_and_a_dot_per_seed():
    (axes,) = forcing_curve(INTERVALS, VALUES, names=["rnn", "lstm"]).axes
    assert curve(axes, "rnn")[:2] == [2.0, 0.4]
    assert np.isnan(curve(axes, "rnn")[2]), "two of three diverged"
    assert curve(axes, "lstm") == [4.5, 4.5], "an interval that was not run is omitted"
    dots = [curve.get_ydata() for curve in axes.get_lines() if curve.get_marker() == "."]
    assert sorted(np.concatenate(dots)) == sorted(VALUES[np.isfinite(VALUES)])
    styles = [(line(axes, name).get_marker(), line(axes, name).get_linestyle()) for name in ("rnn", "lstm")]
    assert styles[0][0] != styles[1][0]
    assert styles[0][1] != styles[1][1]


def test_the_floor_and_the_predictability_time_are_lines():
    (axes,) = forcing_curve(INTERVALS, VALUES, floor=0.05, tau_pred=52.34).axes
    assert list(line(axes, "noise floor: two true orbits").get_ydata()) == [0.05] * 2
    assert list(line(axes, "$\\tau_{pred} = \\ln 2 / \\lambda_1$ = 52.3 steps").get_xdata()) == [52.34] * 2
    assert entries(axes)[:2] == ["model 1", "model 2"]


def test_axes_are_logarithmic_with_units_and_a_tick_at_each_interval():
    (axes,) = forcing_curve(INTERVALS, VALUES).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in axes.get_xticklabels()] == ["5", "30", "200"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("forcing interval τ [steps]", "state space divergence [nats]")


def test_scores_that_reach_zero_are_drawn_on_a_linear_axis():
    assert forcing_curve(INTERVALS, np.zeros((1, 3, 1))).axes[0].get_yscale() == "linear"


def test_diverged_seeds_are_counted():
    assert "2/3\ndiverged" in words(forcing_curve(INTERVALS, VALUES))
    assert "1/1\ndiverged" in words(forcing_curve(INTERVALS, np.full((1, 3, 1), np.inf)))
