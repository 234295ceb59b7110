"""Correlations of power spectra."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter1d

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics import power_spectrum_correlation


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_it_ignores_shift_units_sign_and_direction_of_time() -> None:
    """The mean is the frequency zero, a factor is a constant in decibels, and reversal keeps every |rfft|."""
    series = normal(500, 2)
    for other in (series, -3 * series + 5, series[::-1]):
        assert power_spectrum_correlation(other, series) == pytest.approx(1, abs=1e-9)


def test_red_and_blue_noise_are_opposite() -> None:
    """A sum of neighbours has the power 4 cos²(w / 2), their difference 4 sin²(w / 2): mirrored in frequency.

    Smoothing takes most of the noise of |rfft|² in decibels, 5.6 per bin; the ramp of both has a spread of 12.
    """
    noise, other = normal(2, 20_001, 1)
    red, blue = noise[1:] + noise[:-1], other[1:] - other[:-1]
    ramp = 20 * np.log10(np.cos(np.pi / 2 * (np.arange(10_000) + 0.5) / 10_000))
    expected = np.corrcoef(ramp, ramp[::-1])[0, 1]
    assert power_spectrum_correlation(red, blue) == pytest.approx(expected, abs=0.05)


def test_it_equals_numpys_correlation_of_scipys_smoothing() -> None:
    first, other = normal(400, 2).cumsum(0), normal(400, 2, seed=1)

    def decibels(series: np.ndarray) -> np.ndarray:
        level = 20 * np.log10(np.abs(np.fft.rfft(series))[1:] * 2 / len(series))
        return gaussian_filter1d(level, 3.0, mode="reflect", truncate=5.0)[:150]

    expected = np.mean([np.corrcoef(decibels(a), decibels(b))[0, 1] for a, b in zip(first.T, other.T, strict=True)])
    assert power_spectrum_correlation(first, other, smoothing=3.0, frequencies=150) == pytest.approx(expected, rel=1e-9)


def test_a_constant_series_correlates_with_nothing() -> None:
    assert power_spectrum_correlation(np.full((500, 2), 0.1), normal(500, 2)) == 0
    assert power_spectrum_correlation(np.zeros((500, 2)), normal(500, 2)) == 0


def test_a_member_that_blew_up_is_nan_alone_and_the_array_type_is_kept() -> None:
    members, truth = normal(3, 300, 2), normal(300, 2, seed=1)
    members[0, 3], members[2, 4] = np.nan, np.inf
    correlations = power_spectrum_correlation(members, truth)
    assert_allclose(correlations, [np.nan, power_spectrum_correlation(members[1], truth), np.nan], rtol=1e-12)
    assert isinstance(power_spectrum_correlation(torch.tensor(members), truth), torch.Tensor)


def test_different_lengths_are_rejected() -> None:
    with pytest.raises(ChaosbenchError, match="same steps"):
        power_spectrum_correlation(normal(300, 2), normal(301, 2))
