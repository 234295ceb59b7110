"""The invariant scores on known cases of the Lorenz-63 system, rho = 28, dt = 0.01.

The expected values were computed once, apart from this code and from other orbits: means over five independent ones
where a spread came with them, otherwise taken as the score of one. Scores of short orbits are skewed, so five say
little about their spread s; it is taken from our own n pairs, and the two means must agree within three standard errors
of their difference, 3 s sqrt(1/m + 1/n) with m = 5 or 1.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from chaosbench.metrics import (
    correlation_dimension,
    hausdorff_distance,
    kernel_discrepancy,
    mixture_divergence,
    normalised_error,
    power_spectrum_correlation,
    power_spectrum_distance,
    sliced_wasserstein_distance,
    state_space_divergence,
    symmetric_percentage_error,
)

Points = NDArray[np.float64]
Orbits = Callable[..., Points]


@pytest.fixture(scope="module")
def orbits(lorenz: Orbits) -> Orbits:
    """Return orbits z-scored per dimension, all with the mean and deviation at rho = 28."""
    raw = lorenz(20, 10_000, seed=1)
    mean, deviation = raw.mean((0, 1)), raw.std((0, 1))
    return lambda *shape, **changes: (lorenz(*shape, **changes) - mean) / deviation


def assert_agrees(scores: Points, mean: float, *, others: int) -> None:
    """Assert that the mean of `scores` equals `mean`, that of `others` orbits, within three standard errors."""
    tolerance = 3 * scores.std(ddof=1) * np.sqrt(1 / others + 1 / len(scores))
    assert_allclose(scores.mean(), mean, rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def short(orbits: Orbits) -> tuple[Points, Points]:
    """Return forty orbits in the role of free runs, `(40, 10_000, 3)`, and forty true orbits."""
    both = orbits(80, 10_000)
    return both[:40], both[40:]


@pytest.fixture(scope="module")
def long(orbits: Orbits) -> tuple[Points, Points]:
    """Return ten orbits in the role of free runs, `(10, 100_000, 3)`, and ten true orbits."""
    both = orbits(20, 100_000)
    return both[:10], both[10:]


@pytest.mark.parametrize(
    ("convention", "mean_1000", "mean_10000"),
    [("seed", 1.02, 0.135), ("dend", 5.59, 0.68), ("gtf", 4.87, 0.62), ("dynamix", 5.07, 0.59)],
)
def test_divergence_of_independent_short_orbits(
    short: tuple[Points, Points], convention: str, mean_1000: float, mean_10000: float
) -> None:
    generated, truth = short
    assert_agrees(state_space_divergence(generated, truth, convention=convention), mean_10000, others=5)
    assert_agrees(
        state_space_divergence(generated[:, :1000], truth[:, :1000], convention=convention), mean_1000, others=5
    )


def test_spectral_distance_of_independent_short_orbits(short: tuple[Points, Points]) -> None:
    generated, truth = short
    assert_agrees(power_spectrum_distance(generated, truth), 0.022, others=5)
    assert_agrees(power_spectrum_distance(generated[:, :1000], truth[:, :1000]), 0.018, others=5)


def test_only_the_spectrum_detects_shuffled_time(short: tuple[Points, Points]) -> None:
    """A shuffled series is white noise. At ten times the length, with a finer true spectrum, it scores 0.877 ± 0.02."""
    truth = short[1][0]
    shuffled = np.random.default_rng(0).permutation(truth)
    assert state_space_divergence(shuffled, truth) == 0
    assert_allclose(power_spectrum_distance(shuffled, truth), 0.877, rtol=0, atol=0.02)


def test_a_diverged_orbit_is_nan_and_its_neighbours_are_not(short: tuple[Points, Points]) -> None:
    """NaN marks the failure; a NaN spectrum taken as zero would score a plausible 0.877."""
    generated, truth = short[0][:3].copy(), short[1][0]
    generated[1, 5000:] = np.nan
    assert np.isnan(state_space_divergence(generated, truth)).tolist() == [False, True, False]
    assert np.isnan(power_spectrum_distance(generated, truth)).tolist() == [False, True, False]


def test_mixture_divergence_of_known_cases(short: tuple[Points, Points], orbits: Orbits) -> None:
    """At variance 1 even a fixed point is only 0.58 away; the scatter of an estimate by 1,000 draws is part of s."""
    generated, truth = short[0][:5], short[1][:5]

    def scores(judged: Points, *, steps: int = 10_000) -> Points:
        pairs = zip(judged[:, :steps], truth[:, :steps], strict=True)
        return np.array([mixture_divergence(first, other, seed=i) for i, (first, other) in enumerate(pairs)])

    assert_agrees(scores(generated), 0.009, others=1)
    assert_agrees(scores(generated, steps=1000), 0.019, others=1)
    assert_agrees(scores(np.broadcast_to(truth.mean(1, keepdims=True), truth.shape)), 0.577, others=1)
    assert_agrees(scores(orbits(5, 10_000, rho=38.0, seed=2)), 0.319, others=1)


STATES = pytest.mark.parametrize(
    "metric", [mixture_divergence, sliced_wasserstein_distance, kernel_discrepancy, hausdorff_distance]
)


@pytest.fixture(scope="module")
def cases(short: tuple[Points, Points], orbits: Orbits) -> tuple[Points, Points, Points]:
    """Return a true orbit, five series on its attractor, in order or shuffled, and three off it."""
    truth = short[1][0]
    shuffled = np.random.default_rng(0).permutation(truth)
    fixed = np.broadcast_to(truth.mean(0), truth.shape)
    right = np.stack([*short[0][:3], shuffled, orbits(1, 10_000, dt=0.02, seed=2)[0]])
    return truth, right, np.stack([orbits(1, 10_000, rho=38.0, seed=2)[0], fixed, truth + 1.0])


@STATES
def test_scores_of_states_detect_a_wrong_attractor_but_neither_order_nor_speed(
    metric: Callable[[Points, Points], Points], cases: tuple[Points, Points, Points]
) -> None:
    """Series on the right attractor score less than half of any series off it."""
    truth, right, wrong = cases
    assert metric(right, truth).max() < metric(wrong, truth).min() / 2


def test_scores_of_a_fixed_point_at_the_mean_equal_their_closed_forms(short: tuple[Points, Points]) -> None:
    """Transport from one point costs the variance, D2 is zero, and the farthest state decides Hausdorff's distance.

    The mean over directions e of e' C e is tr C / 3 with a deviation below sqrt(4 / 45) |C|, here of 100 directions.
    """
    truth = short[1][0]
    fixed = np.broadcast_to(truth.mean(0), truth.shape)
    covariance = np.cov(truth.T, bias=True)
    cost = sliced_wasserstein_distance(fixed, truth) ** 2
    spread = np.linalg.norm(covariance) * np.sqrt(4 / 45 / 100)
    assert_allclose(cost, np.trace(covariance) / 3, rtol=0, atol=4 * spread)
    farthest = np.linalg.norm(truth - truth.mean(0), axis=1).max()
    assert_allclose(hausdorff_distance(fixed, truth), farthest, rtol=1e-9)
    assert correlation_dimension(fixed, window=100) == 0


def test_correlation_dimension_of_known_cases(short: tuple[Points, Points], orbits: Orbits) -> None:
    """The dimension is the same for independent, shuffled and double-speed orbits, within the spread of an orbit."""
    generated = correlation_dimension(short[0][:8], points=5_000, window=100)
    spread = generated.std(ddof=1)
    shuffled = np.random.default_rng(0).permutation(short[0][0])
    assert_allclose(correlation_dimension(shuffled, points=5_000), generated.mean(), rtol=0, atol=4 * spread)
    fast = orbits(1, 10_000, dt=0.02, seed=2)[0]
    dimension = correlation_dimension(fast, points=5_000, window=50)
    assert_allclose(dimension, generated.mean(), rtol=0, atol=4 * spread)
    assert spread < 0.05


def test_spectral_correlation_of_known_cases(short: tuple[Points, Points], orbits: Orbits) -> None:
    """White noise is flat up to scatter, and a fixed point has no spectrum; both score far below true orbits."""
    truth = short[1][0]
    true = power_spectrum_correlation(short[0][:5], truth)
    shuffled = power_spectrum_correlation(np.random.default_rng(0).permutation(truth), truth)
    fast = power_spectrum_correlation(orbits(1, 10_000, dt=0.02, seed=2)[0], truth)
    assert true.min() > 0.95
    assert abs(shuffled) < 0.5
    assert shuffled < fast < true.min()
    assert power_spectrum_correlation(np.broadcast_to(truth.mean(0), truth.shape), truth) == 0


def test_forecasts_of_the_mean_beat_unrelated_orbits_by_squares_and_lose_by_percentages(
    short: tuple[Points, Points],
) -> None:
    """(x - y)² has the mean 2 for two orbits and 1 for the mean, here zero, whose sMAPE is the largest there is.

    Zero and one are the moments of the twenty orbits that all are z-scored by.
    """
    first, other = short
    squares = normalised_error(first, other, scale=np.ones(3)) ** 2
    assert_agrees(squares, 2.0, others=20)
    assert_agrees(normalised_error(np.zeros_like(first), other, scale=np.ones(3)) ** 2, 1.0, others=20)
    assert_allclose(symmetric_percentage_error(np.zeros_like(first), other), 200, rtol=1e-6)
    assert symmetric_percentage_error(first, other).max() < 200


@STATES
def test_a_diverged_orbit_is_nan_to_every_score_of_states(
    metric: Callable[[Points, Points], Points], short: tuple[Points, Points]
) -> None:
    generated, truth = short[0][:3, :2000].copy(), short[1][0, :2000]
    generated[1, 500:] = np.inf
    assert np.isnan(metric(generated, truth)).tolist() == [False, True, False]


@pytest.mark.slow
@pytest.mark.parametrize(("convention", "mean"), [("seed", 0.018), ("dend", 0.054), ("gtf", 0.049), ("dynamix", 0.051)])
def test_noise_floor_of_the_divergence(long: tuple[Points, Points], convention: str, mean: float) -> None:
    assert_agrees(state_space_divergence(*long, convention=convention), mean, others=5)


@pytest.mark.slow
def test_noise_floor_of_the_spectral_distance(long: tuple[Points, Points]) -> None:
    assert_agrees(power_spectrum_distance(*long), 0.051, others=5)
    assert_agrees(power_spectrum_distance(*long, smoothing=1.0), 0.266, others=1)


@pytest.mark.slow
def test_a_fixed_point_at_the_mean_fails_both(long: tuple[Points, Points]) -> None:
    """One occupied cell: the score is a functional of the truth's histogram alone, nearly the same for every orbit.

    About zero with an even number of bins, the mean lies on an edge, so only the other grids are compared.
    """
    truth = long[1]
    fixed = np.broadcast_to(truth.mean(1, keepdims=True), truth.shape)
    assert_agrees(state_space_divergence(fixed, truth), 16.36, others=1)
    assert_agrees(state_space_divergence(fixed, truth, convention="dynamix"), 16.29, others=1)
    assert_agrees(power_spectrum_distance(fixed, truth), 0.878, others=1)


@pytest.mark.slow
def test_another_attractor_is_far_in_states_and_near_in_spectrum(long: tuple[Points, Points], orbits: Orbits) -> None:
    truth, stranger = long[1], orbits(10, 100_000, rho=38.0, seed=2)
    assert_agrees(state_space_divergence(stranger, truth, convention="seed"), 5.45, others=1)
    assert_agrees(state_space_divergence(stranger, truth), 11.04, others=1)
    assert_agrees(power_spectrum_distance(stranger, truth), 0.231, others=1)


@pytest.mark.slow
def test_only_the_spectrum_detects_double_speed(long: tuple[Points, Points], orbits: Orbits) -> None:
    truth, fast = long[1], orbits(10, 100_000, dt=0.02, seed=2)
    assert_agrees(state_space_divergence(fast, truth), 0.033, others=1)
    assert_agrees(power_spectrum_distance(fast, truth), 0.398, others=1)
