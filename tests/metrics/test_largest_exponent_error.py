"""Errors of largest exponents by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from chaosbench.metrics import Evaluation, LargestExponentError, largest_exponent_error


def test_it_is_relative_to_the_reference() -> None:
    exponents = np.array([[1.5, -3.0], [1.0, 0.5], [-1.0, -2.0], [np.nan, np.nan]])
    assert_allclose(largest_exponent_error(exponents, 1.0), [0.5, 0.0, 2.0, np.nan], rtol=1e-15)
    assert_allclose(largest_exponent_error(exponents / 10, 0.1), [0.5, 0.0, 2.0, np.nan], atol=1e-15)


def test_a_negative_reference_scales_by_its_magnitude_and_zero_gives_nan() -> None:
    assert largest_exponent_error(np.array([-0.25, -1.0]), -0.5) == 0.5
    assert np.isnan(largest_exponent_error(np.array([0.1, -1.0]), 0.0))


def test_tensors_and_arrays_keep_their_kind() -> None:
    assert isinstance(largest_exponent_error(np.ones((2, 3)), 1.0), np.ndarray)
    assert isinstance(largest_exponent_error(np.ones(3), 1.0), float)
    assert isinstance(largest_exponent_error(torch.ones(2, 3), 1.0), torch.Tensor)


def test_the_score_compares_with_the_certified_exponent(evaluation: Evaluation) -> None:
    assert_allclose(LargestExponentError().score(evaluation), [0.2, 0.1, 1.1], rtol=1e-12)
    assert_allclose(LargestExponentError().score(evaluation.floor()), [0.05], rtol=1e-12)


@pytest.mark.parametrize("exponent", [None, 0.0])
def test_without_a_reference_neither_score_nor_floor_exists(evaluation: Evaluation, exponent: float | None) -> None:
    changed = replace(evaluation, largest_exponent=exponent)
    assert LargestExponentError().score(changed).isnan().all()
    assert LargestExponentError().score(changed.floor()).isnan().all()
