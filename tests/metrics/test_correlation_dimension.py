"""Correlation dimensions of sets whose dimension is known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics import CorrelationDimensionError, Evaluation, correlation_dimension

SHARES = (0.001, 0.03)


def slope(share: np.ndarray, radii: np.ndarray) -> float:
    """Return the slope of ln C over ln r where C is between the two shares."""
    inside = (share >= SHARES[0]) & (share <= SHARES[1])
    return float(np.polyfit(np.log(radii[inside]), np.log(share[inside]), 1)[0])


def henon(count: int, steps: int) -> np.ndarray:
    x, y = 0.1 * np.random.default_rng(0).normal(size=(2, count))
    orbit = np.empty((steps, count, 2))
    for step in range(-100, steps):
        x, y = 1 - 1.4 * x * x + y, 0.3 * x
        if step >= 0:
            orbit[step] = np.stack([x, y], axis=-1)
    return orbit.transpose(1, 0, 2)


def test_a_line_has_one_dimension_in_any_orientation() -> None:
    """Two uniform points of [0, 1] are within r with probability 2 r - r²: the slope that the ends leave is 0.99.

    About 5,000 pairs of 5,000,000 are at the smallest radius, and they share points: three deviations of ten lines.
    """
    radii = np.geomspace(1e-4, 0.1, 10_000)
    exact = slope(2 * radii - radii**2, radii)
    assert exact == pytest.approx(0.99, abs=0.01)
    lines = np.random.default_rng(0).random((10, 3000, 1)) * [3.0, -4.0, 12.0] + [5.0, 0.0, 1.0]
    dimensions = correlation_dimension(lines)
    assert_allclose(dimensions.mean(), exact, atol=3 * dimensions.std(ddof=1) / np.sqrt(10))
    assert dimensions.std() < 0.02


def test_a_square_has_two_dimensions_but_for_its_edges() -> None:
    """Two uniform points of a square are within r <= 1 with probability pi r² - 8 r³ / 3 + r⁴ / 2."""
    radii = np.geomspace(1e-3, 0.3, 10_000)
    exact = slope(np.pi * radii**2 - 8 / 3 * radii**3 + radii**4 / 2, radii)
    assert exact == pytest.approx(2, abs=0.05)
    dimensions = correlation_dimension(np.random.default_rng(0).random((10, 3000, 2)))
    assert_allclose(dimensions.mean(), exact, atol=3 * dimensions.std(ddof=1) / np.sqrt(10))
    assert dimensions.std() < 0.04


def test_henon_agrees_with_the_published_dimension() -> None:
    """1.21 +- 0.01 of the map and 1.25 +- 0.02 corrected for C's oscillation (Grassberger & Procaccia 1983, PRL)."""
    dimensions = correlation_dimension(henon(5, 10_000))
    error = 3 * dimensions.std(ddof=1) / np.sqrt(5)
    assert 1.20 - error < dimensions.mean() < 1.27 + error
    assert error < 0.02


def test_lorenz_agrees_with_the_published_dimension(lorenz: Callable[..., np.ndarray]) -> None:
    """2.05 +- 0.01 (Grassberger & Procaccia 1983, PRL), and edges as a square's, which take 0.04."""
    orbits = lorenz(20, 10_000, dt=0.02).reshape(5, 40_000, 3)
    dimensions = correlation_dimension(orbits, points=5_000, window=50)
    error = 3 * dimensions.std(ddof=1) / np.sqrt(5)
    assert_allclose(dimensions.mean(), 2.05, atol=0.01 + 0.04 + error)
    assert error < 0.04


@pytest.mark.parametrize("window", [0, 30])
def test_pairs_are_counted_as_a_tree_of_points_counts_them(window: int) -> None:
    """The radii enclose 0.001 and 0.03 of the pairs; fewer than 1,000 points choose them from all pairs."""
    points = np.random.default_rng(0).normal(size=(800, 4))
    first, second = np.triu_indices(800, 1 + window)
    distances = np.sort(np.linalg.norm(points[first] - points[second], axis=-1))
    radii = np.geomspace(*[distances[int(share * len(distances))] for share in SHARES], 20) * (1 + 1e-12)
    tree = cKDTree(points)
    near = [[(i, j) for i, j in tree.query_pairs(radius) if j - i > window] for radius in radii]
    expected = np.polyfit(np.log(radii), np.log([len(pairs) for pairs in near]), 1)[0]
    assert correlation_dimension(points, window=window) == pytest.approx(expected, rel=1e-9)


def test_the_window_leaves_out_what_is_near_in_time() -> None:
    """Smooth noise in six dimensions: its near pairs are near in time, on a curve of one (Theiler 1986)."""
    noise = gaussian_filter1d(np.random.default_rng(0).normal(size=(4_000, 6)), 50, axis=0)
    assert correlation_dimension(noise) < 1.5
    assert correlation_dimension(noise, window=200) > 4


def test_finite_sets_have_no_dimension() -> None:
    """A fixed point and a cycle of three, also if approached from far away."""
    fixed = np.full((500, 3), 0.7)
    cycle = np.random.default_rng(0).normal(size=(3, 2))[np.arange(600) % 3]
    spiral = 0.5 ** np.arange(600.0)[:, None] * [1.0, -1.0]
    assert correlation_dimension(fixed) == 0
    assert correlation_dimension(cycle) == 0
    assert correlation_dimension(spiral) == pytest.approx(0, abs=0.1)


def test_order_units_and_shift_do_not_matter() -> None:
    """Shuffled points are the same set; only the sample that chooses the radii differs, so the slope nearly agrees."""
    points = np.random.default_rng(0).normal(size=(900, 3))
    expected = correlation_dimension(points)
    assert correlation_dimension(np.random.default_rng(1).permutation(points)) == pytest.approx(expected, rel=1e-9)
    assert correlation_dimension(1e3 * points) == pytest.approx(expected, rel=1e-9)
    assert correlation_dimension(points + 5) == pytest.approx(expected, rel=1e-9)


def test_a_member_that_blew_up_is_nan_alone_and_the_array_type_is_kept() -> None:
    points = np.random.default_rng(0).normal(size=(2, 300, 2))
    spoiled = points.copy()
    spoiled[0, 7, 1] = np.inf
    dimensions = correlation_dimension(spoiled)
    assert np.isnan(dimensions[0])
    assert dimensions[1] == correlation_dimension(points[1])
    assert isinstance(correlation_dimension(torch.tensor(points)), torch.Tensor)


def test_too_few_points_are_rejected() -> None:
    with pytest.raises(ChaosbenchError, match="100 points"):
        correlation_dimension(np.zeros((150, 2)), window=60)


def test_the_score_is_the_difference_of_both_dimensions(evaluation: Evaluation) -> None:
    scores = CorrelationDimensionError(window=5).score(evaluation)
    own = correlation_dimension(evaluation.free_run, window=5)
    theirs = correlation_dimension(evaluation.truth, window=5)
    assert torch.allclose(scores, (own - theirs).abs().mean(1), rtol=1e-12)  # the median of two runs is their mean
