"""Errors of Lyapunov spectra by hand."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from chaosbench.metrics import Evaluation, LyapunovSpectrumError, largest_exponent_error, lyapunov_spectrum_error


def test_absolute_errors_are_summed_before_they_are_divided() -> None:
    """Errors of 0.1, 0.2 and 1.5 where the sizes sum to 16."""
    error = lyapunov_spectrum_error(np.array([1.1, -0.2, -13.5]), np.array([1.0, 0.0, -15.0]))
    assert error == pytest.approx(1.8 / 16, rel=1e-12)


def test_only_exponents_that_both_have_are_compared() -> None:
    """A model with a larger state has more exponents, and of a large system only the leading ones are certified."""
    assert lyapunov_spectrum_error(np.array([1.0, 0.0, -2.0, -99.0]), np.array([1.0, 0.0, -2.0])) == 0
    assert lyapunov_spectrum_error(np.array([1.0, 0.5]), np.array([1.0, 0.0, -2.0])) == 0.5


def test_the_leading_one_alone_is_the_largest_exponents_error() -> None:
    exponents, reference = np.random.default_rng(0).normal(size=(7, 4)), np.array([0.7, 0.0, -1.0, -2.0])
    assert_allclose(
        lyapunov_spectrum_error(exponents, reference, leading=1), largest_exponent_error(exponents, 0.7), rtol=1e-12
    )


def test_a_fixed_point_that_contracts_as_much_as_the_system_grows_scores_two() -> None:
    assert lyapunov_spectrum_error(np.array([-1.0, 3.0]), np.array([1.0, -3.0])) == 2


def test_nan_stays_with_its_member_and_a_zero_reference_gives_nan() -> None:
    exponents = np.array([[1.0, np.nan], [1.0, -2.0]])
    assert np.isnan(lyapunov_spectrum_error(exponents, np.array([1.0, -2.0]))).tolist() == [True, False]
    assert np.isnan(lyapunov_spectrum_error(np.array([0.1, 0.0]), np.zeros(2)))


def test_the_score_compares_with_the_certified_spectrum(evaluation: Evaluation) -> None:
    """(0.2 + 0.4) / 3.6, (0.1 + 0.6) / 3.6, (1.1 + 1.6) / 3.6; the floor (0.05 + 0.1) / 3.6."""
    assert_allclose(LyapunovSpectrumError().score(evaluation), np.array([0.6, 0.7, 2.7]) / 3.6, rtol=1e-12)
    assert_allclose(LyapunovSpectrumError().score(evaluation.floor()), [0.15 / 3.6], rtol=1e-12)
    assert_allclose(LyapunovSpectrumError(leading=1).score(evaluation), [0.2, 0.1, 1.1], rtol=1e-12)
    assert LyapunovSpectrumError().score(evaluation).dtype == torch.float64


def test_a_direction_that_vanishes_in_a_step_has_the_exponent_of_the_precision(evaluation: Evaluation) -> None:
    """Its exponent is minus infinity: in float64 and steps of 0.1 what is below ln(2.2e-16) / 0.1 = -360 is lost."""
    evaluation.exponents[0, 1] = -np.inf
    evaluation.exponents[1] = np.nan
    scores = LyapunovSpectrumError().score(evaluation)
    assert scores[0] == pytest.approx((0.2 + 360.44 - 2.6) / 3.6, rel=1e-4)
    assert scores[1].isnan()
