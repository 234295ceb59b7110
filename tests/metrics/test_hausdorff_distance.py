"""Hausdorff distances of explicit sets."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.spatial import cKDTree

from chaosbench.metrics import Evaluation, HausdorffDistance, hausdorff_distance


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_two_explicit_sets() -> None:
    """From (0, 0) and (1, 0) the nearest of the others is at most 1 away; from (1, 3) it is 3."""
    first, other = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 3.0]])
    assert hausdorff_distance(first, other) == 3
    assert hausdorff_distance(other, first) == 3
    assert hausdorff_distance(first, other[:2]) == 1


def test_a_shift_of_a_far_apart_set_is_its_length_and_a_point_counts_once() -> None:
    grid = 10.0 * np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(-1, 2)
    assert hausdorff_distance(grid + np.array([0.6, 0.8]), grid) == pytest.approx(1, rel=1e-12)
    assert hausdorff_distance(np.repeat(grid, 3, axis=0), grid) == 0


def test_it_equals_the_nearest_neighbours_of_a_tree() -> None:
    first, other = normal(700, 3), normal(500, 3, seed=1)
    farthest = max(cKDTree(other).query(first)[0].max(), cKDTree(first).query(other)[0].max())
    assert hausdorff_distance(first, other) == pytest.approx(farthest, rel=1e-12)


def test_order_does_not_matter_and_points_are_thinned_evenly() -> None:
    first, other = normal(901, 2), normal(301, 2, seed=1)
    shuffled = np.random.default_rng(2).permutation(first)
    assert hausdorff_distance(shuffled, other) == hausdorff_distance(first, other)
    assert hausdorff_distance(first, other, points=301) == hausdorff_distance(first[::3], other)


def test_a_member_that_blew_up_is_nan_alone_and_the_array_type_is_kept() -> None:
    members, truth = normal(2, 100, 2), normal(100, 2, seed=1)
    members[0, 3] = np.inf
    assert_allclose(hausdorff_distance(members, truth), [np.nan, hausdorff_distance(members[1], truth)], rtol=1e-12)
    assert isinstance(hausdorff_distance(torch.tensor(members), truth), torch.Tensor)


def test_the_score_is_in_standard_deviations(evaluation: Evaluation) -> None:
    evaluation.scale[:] = 2.0
    scores = HausdorffDistance().score(evaluation)
    runs, orbits = evaluation.free_run[1] / evaluation.scale, evaluation.truth / evaluation.scale
    each = [hausdorff_distance(run, orbit) for run, orbit in zip(runs, orbits, strict=True)]
    assert float(scores[1]) == pytest.approx(sum(map(float, each)) / 2, rel=1e-12)  # the median of two is their mean
