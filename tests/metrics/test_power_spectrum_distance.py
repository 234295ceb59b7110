"""The distance of spectra: its formula and its invariances."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.ndimage import gaussian_filter1d

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics import power_spectrum, power_spectrum_distance

Points = NDArray[np.float64]


def noise(*shape: int, seed: int = 0) -> Points:
    """A random walk that forgets, so that its spectrum is not flat."""
    steps = np.random.default_rng(seed).normal(size=shape)
    return gaussian_filter1d(steps, 3.0, axis=-2)


def by_formula(generated: Points, truth: Points, smoothing: float) -> float:
    """One dimension at a time: z-score, power, scipy's Gaussian filter, normalise, Hellinger."""

    def spectrum(values: Points) -> Points:
        power = np.abs(np.fft.rfft((values - values.mean()) / values.std())) ** 2
        power = np.clip(gaussian_filter1d(power, smoothing, mode="reflect", truncate=4.0), 0, None)
        return power / power.sum()

    pairs = zip(generated.T, truth.T, strict=True)
    return float(np.mean([np.sqrt(1 - np.sqrt(spectrum(a) * spectrum(b)).sum()) for a, b in pairs]))


def by_seed_formula(generated: Points, truth: Points) -> float:
    """Chunks of 2000 steps, an explicit kernel of 10 sigma + 1 = 21 weights, zero padded, 500 frequencies kept."""
    kernel = np.exp(-0.5 * (np.arange(-10, 11) / 2.0) ** 2)
    kernel /= kernel.sum()

    def spectrum(values: Points) -> Points:
        smoothed = []
        for chunk in values[: len(values) // 2000 * 2000].reshape(-1, 2000):
            power = np.abs(np.fft.rfft((chunk - chunk.mean()) / chunk.std(), norm="ortho")) ** 2 * 2 / 2000
            smoothed.append(np.convolve(power, kernel, mode="same"))
        return np.mean(smoothed, axis=0)[:500]

    pairs = zip(generated.T, truth.T, strict=True)
    return float(np.mean([np.sqrt(1 - trapezoid(np.sqrt(spectrum(a) * spectrum(b)))) for a, b in pairs]))


@pytest.mark.parametrize("smoothing", [1.0, 20.0])
@pytest.mark.parametrize("steps", [1000, 1001])
def test_it_equals_its_formula(smoothing: float, steps: int) -> None:
    """The form sqrt(1 - sum sqrt(p q)) cancels: at scores above 0.01, four of sixteen digits go."""
    truth, generated = noise(steps, 3), np.random.default_rng(1).normal(size=(steps, 3))
    score = power_spectrum_distance(generated, truth, smoothing=smoothing)
    assert_allclose(score, by_formula(generated, truth, smoothing), rtol=1e-9)


def test_default_smooths_over_twenty_bins() -> None:
    truth, generated = noise(800, 2), noise(800, 2, seed=1)
    assert power_spectrum_distance(generated, truth) == power_spectrum_distance(generated, truth, smoothing=20.0)


def test_seed_convention_equals_its_formula() -> None:
    truth, generated = noise(6500, 2), noise(6500, 2, seed=1) + np.random.default_rng(2).normal(size=(6500, 2)) / 9
    score = power_spectrum_distance(generated, truth, convention="seed")
    assert_allclose(score, by_seed_formula(generated, truth), rtol=1e-9)


def test_dysts_convention_equals_its_formula() -> None:
    """The first 100 frequencies of the full transform, mean included; the second form of Hellinger's distance."""
    truth, generated = noise(600, 2) + 0.3, noise(600, 2, seed=1)

    def spectrum(series: Points) -> Points:
        power = np.abs(np.fft.fft(series)[:100]) ** 2
        return power / power.sum()

    pairs = zip(generated.T, truth.T, strict=True)
    expected = np.mean([np.sqrt(1 - np.sqrt(spectrum(a) * spectrum(b)).sum()) for a, b in pairs])
    assert_allclose(power_spectrum_distance(generated, truth, convention="dysts"), expected, rtol=1e-9)


def test_three_papers_share_one_convention() -> None:
    truth, generated = noise(600, 2), noise(600, 2, seed=1)
    expected = power_spectrum_distance(generated, truth)
    for convention in ("alrnn", "dynamix"):
        assert power_spectrum_distance(generated, truth, convention=convention) == expected


def test_the_seed_convention_counts_missing_power_as_distance() -> None:
    """White noise has half its power in the 500 of 1001 frequencies kept: sqrt(1 - 1/2) of itself, edges aside."""
    white = np.random.default_rng(0).normal(size=(100_000, 1))
    assert_allclose(power_spectrum_distance(white, white, convention="seed"), np.sqrt(0.5), atol=0.01)


@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(20, 300), smoothing=st.floats(0, 30))
@settings(max_examples=40, deadline=None)
def test_it_is_a_distance_between_zero_and_one(seed: int, steps: int, smoothing: float) -> None:
    truth, generated = noise(steps, 2, seed=seed), noise(steps, 2, seed=seed + 1)
    score = power_spectrum_distance(generated, truth, smoothing=smoothing)
    assert 0 < score <= 1
    assert power_spectrum_distance(truth, generated, smoothing=smoothing) == score
    assert power_spectrum_distance(truth, truth, smoothing=smoothing) == 0


@given(
    seed=st.integers(0, 2**32 - 1),
    factors=st.lists(st.floats(0.01, 100).flatmap(lambda x: st.sampled_from([x, -x])), min_size=2, max_size=2),
    shifts=st.lists(st.floats(-100, 100), min_size=2, max_size=2),
)
@settings(max_examples=30, deadline=None)
def test_units_and_origin_of_a_dimension_do_not_matter(seed: int, factors: list[float], shifts: list[float]) -> None:
    """A shift of 1e5 standard deviations leaves 11 of 16 digits, and the root of a difference halves them at worst."""
    truth, generated = noise(200, 2, seed=seed), noise(200, 2, seed=seed + 1)
    moved = generated * np.array(factors) + np.array(shifts)
    assert_allclose(power_spectrum_distance(moved, truth), power_spectrum_distance(generated, truth), atol=1e-6)


def test_time_reversal_does_not_matter() -> None:
    """Reversal conjugates the transform up to a phase, so the power is the same up to rounding."""
    truth, generated = noise(500, 2), noise(500, 2, seed=1)
    assert_allclose(
        power_spectrum_distance(generated[::-1], truth), power_spectrum_distance(generated, truth), rtol=1e-9
    )


def test_disjoint_spectra_are_one_apart() -> None:
    time = np.arange(1000)[:, None]
    slow, fast = np.sin(2 * np.pi * 0.02 * time), np.sin(2 * np.pi * 0.4 * time)
    assert_allclose(power_spectrum_distance(slow, fast, smoothing=2.0), 1.0, atol=1e-12)


def test_the_spectrum_of_a_sine_peaks_at_its_frequency_and_sums_to_one() -> None:
    time = np.arange(2000)[:, None]
    spectrum = power_spectrum(np.hstack([np.sin(2 * np.pi * 0.1 * time), 5 + np.cos(2 * np.pi * 0.3 * time)]))
    assert spectrum.shape == (1001, 2)
    assert_allclose(np.fft.rfftfreq(2000)[spectrum.argmax(0)], [0.1, 0.3], rtol=1e-12)
    assert_allclose(spectrum.sum(0), 1.0, rtol=1e-12)


def test_a_constant_series_has_the_flat_spectrum() -> None:
    """0.1 is not a binary fraction, so the mean of many has a rounding error, which must not become a spectrum."""
    constant = np.full((1000, 1), 0.1)
    assert_allclose(power_spectrum(constant), 1 / 501, rtol=1e-12)
    assert power_spectrum_distance(constant, 3 * constant) == 0
    assert power_spectrum_distance(constant, np.zeros((1000, 1))) == 0


def test_a_constant_scores_like_the_white_noise_it_is_the_limit_of() -> None:
    """White noise of 20,000 steps, smoothed over 20 bins, is flat to about 12 % per bin: 0.01 in the distance."""
    truth = noise(20_000, 1)
    white = np.random.default_rng(1).normal(size=truth.shape)
    flat = power_spectrum_distance(np.ones_like(truth), truth)
    assert_allclose(flat, power_spectrum_distance(white, truth), atol=0.01)


@pytest.mark.parametrize("convention", ["gtf", "seed"])
@pytest.mark.parametrize("culprit", [np.nan, np.inf])
def test_a_diverged_member_is_nan_alone(culprit: float, convention: str) -> None:
    truth, generated = noise(2000, 2), noise(4, 2000, 2, seed=1)
    alone = power_spectrum_distance(generated, truth, convention=convention)
    generated[2, -1, 0] = culprit
    scores = power_spectrum_distance(generated, truth, convention=convention)
    assert np.isnan(scores[2])
    assert_allclose(np.delete(scores, 2), np.delete(alone, 2), rtol=0)


def test_leading_axes_broadcast_like_arrays() -> None:
    generated, truth = noise(3, 1, 200, 2), noise(2, 200, 2, seed=1)
    scores = power_spectrum_distance(generated, truth)
    assert scores.shape == (3, 2)
    assert_allclose(scores[2, 1], power_spectrum_distance(generated[2, 0], truth[1]), rtol=1e-12)


def test_tensors_and_arrays_give_the_same_numbers_and_keep_their_type() -> None:
    truth, generated = noise(300, 2), noise(3, 300, 2, seed=1)
    scores = power_spectrum_distance(generated, truth)
    tensors = power_spectrum_distance(torch.tensor(generated), torch.tensor(truth))
    assert isinstance(scores, np.ndarray)
    assert isinstance(tensors, torch.Tensor)
    assert isinstance(power_spectrum_distance(generated[0], truth), float)
    assert isinstance(power_spectrum(torch.tensor(truth)), torch.Tensor)
    assert (tensors.numpy() == scores).all()


def test_series_that_do_not_compare_are_rejected() -> None:
    with pytest.raises(ChaosbenchError, match=r"\(90, 2\).*\(100, 2\)"):
        power_spectrum_distance(noise(90, 2), noise(100, 2))
    with pytest.raises(ChaosbenchError, match=r"2000 steps.*\b100\b"):
        power_spectrum_distance(noise(100, 2), noise(100, 2), convention="seed")
    with pytest.raises(ChaosbenchError, match=r"'sed'.*'seed'"):
        power_spectrum_distance(noise(100, 2), noise(100, 2), convention="sed")  # type: ignore[arg-type]
