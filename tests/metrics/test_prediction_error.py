"""Prediction errors of forecasts whose errors are known."""

import numpy as np
import pytest
import torch

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics import Evaluation, PredictionError, prediction_error


@pytest.mark.parametrize("steps", [1, 20, 25])
def test_it_looks_at_exactly_one_step(steps: int) -> None:
    """Errors of 3 and 4 at that step, NaN at every other: (9 + 16) / 2."""
    forecast = np.full((25, 2), np.nan)
    forecast[steps - 1] = [3.0, -4.0]
    assert prediction_error(forecast, np.zeros((25, 2)), steps=steps) == 12.5


def test_the_default_is_twenty_steps() -> None:
    rng = np.random.default_rng(0)
    forecast, truth = rng.normal(size=(2, 25, 3)), rng.normal(size=(25, 3))
    assert (prediction_error(forecast, truth) == prediction_error(forecast, truth, steps=20)).all()


def test_tensors_and_arrays_give_the_same_numbers_and_keep_their_type() -> None:
    rng = np.random.default_rng(0)
    forecast, truth = rng.normal(size=(3, 25, 2)), rng.normal(size=(25, 2))
    errors = prediction_error(forecast, truth)
    tensors = prediction_error(torch.tensor(forecast), torch.tensor(truth))
    assert isinstance(errors, np.ndarray)
    assert isinstance(tensors, torch.Tensor)
    assert isinstance(prediction_error(forecast[0], truth), float)
    assert (tensors.numpy() == errors).all()


def test_the_score_is_the_mean_over_conditions_and_nan_where_one_diverged(evaluation: Evaluation) -> None:
    evaluation.forecast[1, 2, 10:] = torch.nan
    scores = PredictionError(steps=12).score(evaluation)
    expected = (evaluation.forecast[:, :, 11] - evaluation.future[:, 11]).square().mean((1, 2))
    assert scores.isnan().tolist() == [False, True, False]
    assert torch.allclose(scores, expected, equal_nan=True, rtol=1e-12)


@pytest.mark.parametrize("steps", [0, 26])
def test_a_step_outside_the_forecast_is_rejected(steps: int) -> None:
    with pytest.raises(ChaosbenchError, match=rf"\b{steps} \D+25\b.*1 to 25"):
        prediction_error(np.zeros((25, 2)), np.zeros((25, 2)), steps=steps)
