import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.special import stdtrit
from torch.testing import assert_close

from chaosbench.intervals import half_width, student_quantile


@pytest.mark.parametrize("freedom", [*range(1, 40), 63, 128, 255, 1_000, 8_191])
def test_the_quantile_equals_scipys(freedom):
    """Thousands of terms are summed at most, each with a rounding error of 1e-16."""
    assert student_quantile(freedom) == pytest.approx(stdtrit(freedom, 0.975), rel=1e-12)


def test_the_quantile_has_a_closed_form_for_one_and_two_degrees_of_freedom():
    """Cauchy: tan(0.95 pi / 2). Two: P(|T| < t) = t / sqrt(2 + t^2), so t = p sqrt(2 / (1 - p^2))."""
    assert student_quantile(1) == pytest.approx(math.tan(0.475 * math.pi), rel=1e-14)
    assert student_quantile(2) == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)), rel=1e-14)


def test_the_half_width_equals_scipys_interval_for_numbers_arrays_and_tensors():
    values = np.random.default_rng(0).normal(size=(7, 3))
    low, high = scipy.stats.t.interval(0.95, 6, loc=values.mean(0), scale=scipy.stats.sem(values))
    deviation = values.std(0, ddof=1)
    np.testing.assert_allclose(half_width(deviation, 7), (high - low) / 2, rtol=1e-12)
    assert half_width(float(deviation[0]), 7) == pytest.approx((high[0] - low[0]) / 2, rel=1e-12)
    assert_close(half_width(torch.tensor(deviation), 7), torch.tensor((high - low) / 2))


def test_a_single_value_has_no_interval():
    assert math.isnan(student_quantile(0))
    assert math.isnan(half_width(1.0, 1))
    assert math.isnan(half_width(1.0, 0))


def test_intervals_need_neither_torch_nor_scipy():
    code = "import sys, chaosbench.intervals; assert not {'torch', 'scipy', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
