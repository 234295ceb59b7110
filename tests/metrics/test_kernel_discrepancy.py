"""Maximum mean discrepancies of sets whose kernel is known."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist

from chaosbench.metrics import Evaluation, KernelDiscrepancy, kernel_discrepancy


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_two_point_masses() -> None:
    """MMD² = 2 k(0) - 2 k(d), with k(0) = 2 for two scales and d = 5."""
    first, other = np.zeros((7, 2)), np.full((4, 2), 1.0) * [3.0, 4.0]
    expected = 2 * (2 - 1 / (1 + 25) - 4 / (4 + 25))
    assert kernel_discrepancy(first, other, scales=(1.0, 2.0)) == pytest.approx(expected, rel=1e-12)


def test_identical_sets_have_no_discrepancy_in_any_order() -> None:
    points = normal(200, 3)
    assert kernel_discrepancy(points, points) == 0
    assert kernel_discrepancy(np.random.default_rng(1).permutation(points), points) == pytest.approx(0, abs=1e-14)


def test_it_equals_means_over_scipys_distances() -> None:
    first, other = normal(60, 3), normal(80, 3, seed=1) + 0.4

    def mean(left: np.ndarray, right: np.ndarray) -> float:
        squares = cdist(left, right, "sqeuclidean")
        return float(sum((a * a / (a * a + squares)).mean() for a in (0.2, 0.5, 0.9, 1.3)))

    expected = mean(first, first) + mean(other, other) - 2 * mean(first, other)
    assert kernel_discrepancy(first, other) == pytest.approx(expected, rel=1e-9)


def test_independent_samples_have_the_bias_of_the_estimate() -> None:
    """Its mean for equal distributions is 2 (k(0) - mean k) / n; a quarter is ten times the spread of 30 means."""
    pairs = normal(30, 2, 200, 2)
    discrepancy = np.mean([kernel_discrepancy(first, other) for first, other in pairs])
    squares = cdist(pairs[:, 0].reshape(-1, 2)[:1500], pairs[:, 1].reshape(-1, 2)[:1500], "sqeuclidean")
    mean = sum((a * a / (a * a + squares)).mean() for a in (0.2, 0.5, 0.9, 1.3))
    assert discrepancy == pytest.approx(2 * (4 - mean) / 200, rel=0.25)


def test_points_are_thinned_evenly() -> None:
    first, other = normal(901, 2), normal(301, 2, seed=1)
    assert kernel_discrepancy(first, other, points=301) == kernel_discrepancy(first[::3], other)


def test_a_member_that_blew_up_is_nan_alone_and_the_array_type_is_kept() -> None:
    members, truth = normal(2, 100, 2), normal(100, 2, seed=1)
    members[0, 3] = np.inf
    discrepancy = kernel_discrepancy(members, truth)
    assert_allclose(discrepancy, [np.nan, kernel_discrepancy(members[1], truth)], rtol=1e-12)
    assert isinstance(kernel_discrepancy(torch.tensor(members), truth), torch.Tensor)


def test_the_score_is_of_states_in_standard_deviations(evaluation: Evaluation) -> None:
    evaluation.scale[:] = torch.tensor([2.0, 4.0])
    scores = KernelDiscrepancy(scales=(1.0,)).score(evaluation)
    runs, orbits = evaluation.free_run[1] / evaluation.scale, evaluation.truth / evaluation.scale
    each = [kernel_discrepancy(run, orbit, scales=(1.0,)) for run, orbit in zip(runs, orbits, strict=True)]
    assert float(scores[1]) == pytest.approx(sum(map(float, each)) / 2, rel=1e-12)  # the median of two is their mean
