"""Normalised errors whose value is known."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics import Evaluation, NormalisedError, normalised_error


def test_a_constant_error_is_itself_in_standard_deviations() -> None:
    """Errors of 2 and 6 where the deviations are 2 and 3: sqrt((1 + 4) / 2)."""
    truth = np.random.default_rng(0).normal(size=(5, 30, 2))
    assert_allclose(
        normalised_error(truth + np.array([2.0, -6.0]), truth, scale=np.array([2.0, 3.0])),
        np.full(5, np.sqrt(2.5)),
        rtol=1e-12,
    )


def test_independent_series_are_sqrt_two_apart() -> None:
    """The mean of n squared differences of variance 2 has the relative error sqrt(2 / n); the root, half of that."""
    first, other = np.random.default_rng(0).normal(size=(2, 20_000, 3))
    assert normalised_error(first, other) == pytest.approx(np.sqrt(2), rel=4 * 0.5 * np.sqrt(2 / 60_000))


def test_without_a_scale_it_is_the_error_over_the_truths_own_deviation() -> None:
    """One dimension: the root mean squared error of sklearn's and dysts' textbook form, over numpy's deviation."""
    rng = np.random.default_rng(0)
    forecast, truth = rng.normal(size=(50, 1)), 3 * rng.normal(size=(50, 1))
    expected = np.sqrt(np.mean((forecast - truth) ** 2)) / truth.std()
    assert normalised_error(forecast, truth) == pytest.approx(expected, rel=1e-12)


def test_only_the_first_steps_count() -> None:
    forecast = np.zeros((25, 2))
    forecast[10:] = np.nan
    assert normalised_error(forecast, np.zeros((25, 2)), steps=10, scale=np.ones(2)) == 0
    assert np.isnan(normalised_error(forecast, np.zeros((25, 2)), steps=11, scale=np.ones(2)))


@pytest.mark.parametrize("steps", [0, 26])
def test_steps_outside_the_forecast_are_rejected(steps: int) -> None:
    with pytest.raises(ChaosbenchError, match=rf"normalised_error\D+{steps} \D+25\b"):
        normalised_error(np.zeros((25, 2)), np.zeros((25, 2)), steps=steps)


def test_the_score_is_the_mean_over_conditions(evaluation: Evaluation) -> None:
    evaluation.scale[:] = torch.tensor([1.0, 2.0])
    squares = ((evaluation.forecast - evaluation.future) / evaluation.scale)[:, :, :12].square()
    assert torch.allclose(NormalisedError(steps=12).score(evaluation), squares.mean((2, 3)).sqrt().mean(1))
