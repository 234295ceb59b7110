import numpy as np
import pytest
import scipy.stats
import torch
from torch.testing import assert_close

from chaosbench.dynamics import nan_half_width


def test_missing_values_are_ignored():
    """The second implementation is scipy's interval of the values that are present."""
    values = torch.randn(2, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values[1, :3] = torch.nan
    widths = nan_half_width(values, dim=1)
    assert widths.shape == (2, 3)
    for seed, start in enumerate((0, 3)):
        present = values[seed, start:].numpy()
        low, high = scipy.stats.t.interval(0.95, len(present) - 1, loc=present.mean(0), scale=scipy.stats.sem(present))
        np.testing.assert_allclose(widths[seed].numpy(), (high - low) / 2, rtol=1e-10)


@pytest.mark.parametrize("present", [0, 1])
def test_fewer_than_two_values_have_no_interval(present):
    values = torch.full((5, 2), torch.nan, dtype=torch.float64)
    values[:present] = 1.0
    assert bool(nan_half_width(values, dim=0).isnan().all())


def test_equal_values_have_an_interval_of_zero():
    assert_close(nan_half_width(torch.ones(4, 2), dim=0), torch.zeros(2))
