"""Valid prediction times of forecasts whose errors are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from chaosbench.metrics import Evaluation, ValidPredictionTime, valid_prediction_time

ONES = np.ones(2)


@given(good=st.integers(0, 30), dt=st.floats(0.001, 10))
def test_it_counts_the_leading_steps_within_the_threshold(good: int, dt: float) -> None:
    """Steps after the first failure do not count, even if they are right."""
    errors = np.full(30, 0.1)
    errors[good : good + 1] = 0.5
    forecast = np.tile(errors[:, None], 2)
    assert_allclose(valid_prediction_time(forecast, np.zeros((30, 2)), dt=dt, scale=ONES), good * dt, rtol=1e-15)


def test_an_error_equal_to_the_threshold_is_valid() -> None:
    forecast = np.array([[0.5, 0.5], [0.5, 0.5], [0.6, 0.6]])
    assert valid_prediction_time(forecast, np.zeros((3, 2)), dt=1.0, threshold=0.5, scale=ONES) == 2


def test_the_error_is_the_root_mean_square_over_scaled_dimensions() -> None:
    """Errors of 3 and 0 at scales of 5 and 1: sqrt((3/5)^2 / 2) = 0.424."""
    forecast = np.array([[3.0, 0.0]])
    scale = np.array([5.0, 1.0])
    assert valid_prediction_time(forecast, np.zeros((1, 2)), dt=1.0, threshold=0.425, scale=scale) == 1
    assert valid_prediction_time(forecast, np.zeros((1, 2)), dt=1.0, threshold=0.424, scale=scale) == 0


def test_the_default_scale_is_that_of_the_truth() -> None:
    """A truth of +-2 has a standard deviation of 2: an error of 0.7 is 0.35 of it, one of 0.9 is 0.45."""
    truth = np.array([[2.0], [-2.0], [2.0], [-2.0]])
    assert valid_prediction_time(truth + 0.7, truth, dt=1.0) == 4
    assert valid_prediction_time(truth + 0.9, truth, dt=1.0) == 0


@pytest.mark.parametrize("culprit", [np.nan, np.inf, -np.inf])
def test_a_blow_up_is_an_infinite_error(culprit: float) -> None:
    forecast = np.zeros((2, 10, 2))
    forecast[1, 6, 0] = culprit
    assert_allclose(valid_prediction_time(forecast, np.zeros((10, 2)), dt=0.5, scale=ONES), [5.0, 3.0], rtol=0)


def test_a_constant_dimension_is_exactly_right_or_wrong() -> None:
    truth = np.stack([np.sin(np.arange(8.0)), np.full(8, 0.1)], axis=1)
    forecast = truth.copy()
    forecast[5, 1] = 0.2
    scale = np.array([1.0, 0.0])
    assert valid_prediction_time(truth, truth, dt=1.0, scale=scale) == 8
    assert valid_prediction_time(forecast, truth, dt=1.0, scale=scale) == 5


def test_tensors_and_arrays_give_the_same_numbers_and_keep_their_type() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4, 20, 2))
    forecast = truth + rng.normal(size=(3, 4, 20, 2)) * np.linspace(0, 1, 20)[:, None]
    times = valid_prediction_time(forecast, truth, dt=0.1)
    tensors = valid_prediction_time(torch.tensor(forecast), torch.tensor(truth), dt=0.1)
    assert isinstance(times, np.ndarray)
    assert times.shape == (3, 4)
    assert isinstance(tensors, torch.Tensor)
    assert (tensors.numpy() == times).all()
    assert isinstance(valid_prediction_time(forecast[0, 0], truth[0], dt=0.1), float)


def test_the_score_is_the_median_over_conditions_in_lyapunov_times(evaluation: Evaluation) -> None:
    """Right for 2, 4, 10 and 25 of 25 steps: the median is 7 steps of 0.1, at an exponent of 2 that is 1.4."""
    forecast = evaluation.future.expand(3, -1, -1, -1).clone()
    for condition, good in enumerate([2, 4, 10]):
        forecast[:, condition, good] += 1
    changed = with_forecast(evaluation, forecast, largest_exponent=2.0)
    assert_allclose(ValidPredictionTime().score(changed), [1.4, 1.4, 1.4], rtol=1e-12)


@pytest.mark.parametrize("exponent", [None, 0.0, -0.3])
def test_without_a_positive_exponent_neither_score_nor_floor_exists(
    evaluation: Evaluation, exponent: float | None
) -> None:
    changed = with_forecast(evaluation, evaluation.forecast, largest_exponent=exponent)
    assert ValidPredictionTime().score(changed).isnan().all()
    assert ValidPredictionTime().score(changed.floor()).isnan().all()


def with_forecast(evaluation: Evaluation, forecast: torch.Tensor, *, largest_exponent: float | None) -> Evaluation:
    return replace(evaluation, forecast=forecast, largest_exponent=largest_exponent)
