"""Scaled errors of forecasts and naive forecasts whose errors are known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics import Evaluation, ScaledError, scaled_error


@pytest.mark.parametrize("lag", [1, 4])
def test_the_naive_forecast_of_its_own_history_scores_one(lag: int) -> None:
    series = np.random.default_rng(0).normal(size=(100, 3))
    assert scaled_error(series[:-lag], series[lag:], history=series, lag=lag) == pytest.approx(1, rel=1e-12)


def test_each_dimension_has_its_own_scale() -> None:
    """Ramps of slopes 1 and 10 err by 1 and 10 naively; errors of 2 and 5 are 2 and a half of that."""
    ramps = np.arange(30.0)[:, None] * [1.0, 10.0]
    assert scaled_error(ramps + np.array([2.0, -5.0]), ramps, history=ramps) == pytest.approx(1.25, rel=1e-12)
    assert scaled_error(ramps + np.array([2.0, -5.0]), ramps, history=ramps, lag=5) == pytest.approx(0.25, rel=1e-12)


def test_only_the_first_steps_count_and_members_stay_apart() -> None:
    ramp = np.arange(25.0)[:, None]
    forecast = np.stack([ramp, ramp + 1])
    forecast[0, 10:] = np.nan
    assert_allclose(scaled_error(forecast, ramp, history=ramp, steps=10), [0, 1], rtol=1e-12)
    assert_allclose(scaled_error(forecast, ramp, history=ramp), [np.nan, 1], rtol=1e-12)


@pytest.mark.parametrize("lag", [0, 25])
def test_a_lag_outside_the_history_is_rejected(lag: int) -> None:
    with pytest.raises(ChaosbenchError, match=rf"history of 25\D+{lag}; .*1 to 24"):
        scaled_error(np.ones((5, 1)), np.ones((5, 1)), history=np.ones((25, 1)), lag=lag)


def test_the_score_takes_the_true_orbits_as_history(evaluation: Evaluation) -> None:
    scores = ScaledError(steps=20, lag=2).score(evaluation)
    naive = (evaluation.truth[:, 2:] - evaluation.truth[:, :-2]).abs().mean((0, 1))
    errors = (evaluation.forecast - evaluation.future)[:, :, :20].abs().mean((1, 2))
    assert_allclose(scores, (errors / naive).mean(-1), rtol=1e-12)
