import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from chaosbench.dynamics import autocorrelation, decorrelation_time


def noise(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("adjusted", [True, False])
def test_the_autocorrelation_equals_direct_sums_over_all_orbits(adjusted):
    orbits = noise(3, 50, 2).cumsum(dim=1)
    centred = (orbits - orbits.mean(dim=(0, 1))).numpy()
    variance = np.square(centred).mean(axis=(0, 1))
    expected = [
        (centred[:, lag:] * centred[:, : 50 - lag]).sum(axis=(0, 1)) / 3 / ((50 - lag) if adjusted else 50) / variance
        for lag in range(50)
    ]
    assert_close(autocorrelation(orbits, adjusted=adjusted), torch.from_numpy(np.array(expected)))


def test_an_observable_that_never_changes_stays_fully_correlated():
    series = torch.stack([torch.full((40,), 2.0), torch.arange(40.0) % 2], dim=-1)[None]
    correlations = autocorrelation(series)
    assert correlations[:, 0].tolist() == [1.0] * 40
    assert_close(correlations[:, 1], 1 - 2 * (torch.arange(40.0) % 2).double())
    assert decorrelation_time(series).tolist() == [0, 1]


@pytest.mark.parametrize("adjusted", [True, False])
def test_a_cosine_decorrelates_where_it_falls_below_one_over_e(adjusted):
    """cos(2 pi t / P) is its own autocorrelation; without adjustment it is 0.2 % smaller at this lag."""
    orbit = (2 * math.pi / 80 * torch.arange(8_000, dtype=torch.float64)).cos()[None, :, None]
    expected = math.ceil(80 * math.acos(1 / math.e) / (2 * math.pi))
    assert decorrelation_time(orbit, adjusted=adjusted).tolist() == [expected]


def test_the_unadjusted_autocorrelation_never_exceeds_one():
    """By the Cauchy-Schwarz inequality for the padded series; the adjusted one may exceed it at large lags."""
    for orbits in noise(20, 1, 30, 1):
        assert float(autocorrelation(orbits, adjusted=False).abs().max()) <= 1 + 1e-12
