"""Sliced Wasserstein distances of sets whose transport is known."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import wasserstein_distance

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics import Evaluation, SlicedWassersteinDistance, sliced_wasserstein_distance


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("order", [1, 2])
def test_in_one_dimension_a_shift_is_its_length(order: int) -> None:
    points = normal(500, 1)
    assert sliced_wasserstein_distance(points + 0.7, points, order=order) == pytest.approx(0.7, rel=1e-12)


def test_a_shift_is_seen_by_its_part_along_each_direction() -> None:
    """|v . e|² is |v|² / D on average; its deviation for D = 3 is |v|² sqrt(4 / 45), here over 20,000 directions."""
    points, shift = normal(50, 3), np.array([3.0, 0.0, -4.0])
    distance = sliced_wasserstein_distance(points + shift, points, directions=20_000)
    assert distance**2 == pytest.approx(25 / 3, abs=4 * 25 * np.sqrt(4 / 45 / 20_000))


def test_order_one_is_scipys_distance_in_one_dimension() -> None:
    """The only directions are 1 and -1."""
    first, other = normal(400, 1), 1.5 * normal(400, 1, seed=1) + 0.3
    expected = wasserstein_distance(first[:, 0], other[:, 0])
    assert sliced_wasserstein_distance(first, other, order=1) == pytest.approx(expected, rel=1e-12)


def test_two_gaussians_are_apart_by_means_and_deviations() -> None:
    """W2² = (m1 - m2)² + (s1 - s2)² = 0.09 + 0.25. Of n = 20,000 points mean and deviation are known to 1 / sqrt(n)."""
    distance = sliced_wasserstein_distance(1.5 * normal(20_000, 1) + 0.3, normal(20_000, 1, seed=1), points=20_000)
    assert distance**2 == pytest.approx(0.34, abs=4 * 2 * np.sqrt(0.34) * 2 / np.sqrt(20_000))


def test_it_is_a_distance_of_sets() -> None:
    first, other, third = (normal(300, 2, seed=seed) + seed for seed in range(3))
    distance = sliced_wasserstein_distance(first, other)
    assert sliced_wasserstein_distance(first, first) == 0
    assert sliced_wasserstein_distance(other, first) == distance
    assert sliced_wasserstein_distance(np.random.default_rng(9).permutation(first), other) == pytest.approx(distance)
    assert distance < sliced_wasserstein_distance(first, third) + sliced_wasserstein_distance(third, other)


def test_series_of_different_length_are_thinned_to_the_shorter() -> None:
    first, other = normal(901, 2), normal(301, 2, seed=1)
    assert sliced_wasserstein_distance(first, other) == sliced_wasserstein_distance(first[::3], other)


def test_a_member_that_blew_up_is_nan_alone_and_the_array_type_is_kept() -> None:
    members, truth = normal(2, 100, 2), normal(100, 2, seed=1)
    members[0, 3] = np.nan
    distance = sliced_wasserstein_distance(members, truth)
    assert_allclose(distance, [np.nan, sliced_wasserstein_distance(members[1], truth)], rtol=1e-12)
    assert isinstance(sliced_wasserstein_distance(torch.tensor(members), truth), torch.Tensor)
    with pytest.raises(ChaosbenchError, match=r"2 dimensions.*\b1\b"):
        sliced_wasserstein_distance(members, truth[:, :1])


def test_the_score_is_in_standard_deviations(evaluation: Evaluation) -> None:
    evaluation.scale[:] = torch.tensor([2.0, 4.0])
    scores = SlicedWassersteinDistance().score(evaluation)
    runs, orbits = evaluation.free_run[1] / evaluation.scale, evaluation.truth / evaluation.scale
    each = [sliced_wasserstein_distance(run, orbit) for run, orbit in zip(runs, orbits, strict=True)]
    assert float(scores[1]) == pytest.approx(sum(map(float, each)) / 2, rel=1e-12)  # the median of two is their mean
