"""Distances between clouds of points, compared with loops and with scipy."""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance
from torch.testing import assert_close

from chaosbench.dynamics.distances import (
    maximum_mean_discrepancy,
    sinkhorn_divergence,
    sliced_wasserstein,
    squared_distances,
)

SCALES = (0.2, 0.5, 0.9, 1.3)


def points(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_discrepancy_equals_a_double_loop_over_pairs():
    first, other = points(2, 5, 3), points(2, 7, 3, seed=1) + 0.5

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return sum(a * a / (a * a + float(((x - y) ** 2).sum())) for a in SCALES)

    def mean(left: np.ndarray, right: np.ndarray) -> float:
        return float(np.mean([[kernel(x, y) for y in right] for x in left]))

    expected = [mean(x, x) + mean(y, y) - 2 * mean(x, y) for x, y in zip(first.numpy(), other.numpy(), strict=True)]
    assert_close(maximum_mean_discrepancy(first, other, SCALES), torch.tensor(expected, dtype=torch.float64))


def test_every_distance_is_zero_between_equal_sets_and_positive_otherwise():
    first, other, directions = points(1, 20, 3), points(1, 20, 3, seed=1) + 1, points(1, 3, 9)
    for distance in (
        lambda x, y: maximum_mean_discrepancy(x, y, SCALES),
        lambda x, y: sliced_wasserstein(x, y, directions),
        lambda x, y: sinkhorn_divergence(x, y, blur=0.1, iterations=100),
    ):
        assert abs(float(distance(first, first))) < 1e-12
        assert float(distance(first, other)) > 1e-2


def test_a_projection_equals_scipys_optimal_assignment_on_a_line():
    """On a line, optimal transport joins sorted values; for a pure shift W2 = W1, which scipy computes as well."""
    first, other = points(1, 30, 1), points(1, 30, 1, seed=3)
    cost = squared_distances(first, other)[0].numpy()
    rows, columns = linear_sum_assignment(cost)
    value = sliced_wasserstein(first, other, torch.ones(1, 1, 1, dtype=torch.float64))
    assert_close(float(value), float(cost[rows, columns].mean()))
    shifted = sliced_wasserstein(first, first + 0.7, torch.ones(1, 1, 1, dtype=torch.float64))
    expected = wasserstein_distance(first[0, :, 0].numpy(), (first + 0.7)[0, :, 0].numpy()) ** 2
    assert_close(float(shifted), expected)


def test_order_one_averages_scipys_distances_of_projections():
    first, other = points(1, 30, 3), points(1, 30, 3, seed=1)
    directions = torch.nn.functional.normalize(points(1, 3, 5, seed=2), dim=-2)
    expected = [wasserstein_distance((first[0] @ u).numpy(), (other[0] @ u).numpy()) for u in directions[0].T]
    assert_close(float(sliced_wasserstein(first, other, directions, order=1)), float(np.mean(expected)))


def test_the_sliced_distance_averages_the_transport_of_projections():
    first, other = points(2, 12, 3), points(2, 12, 3, seed=1)
    directions = torch.nn.functional.normalize(points(1, 3, 5, seed=2), dim=-2)
    expected = []
    for x, y in zip(first.numpy(), other.numpy(), strict=True):
        costs = [(x @ u)[:, None] - (y @ u)[None] for u in directions[0].T.numpy()]
        expected.append(np.mean([(c**2)[linear_sum_assignment(c**2)].mean() for c in costs]))
    assert_close(sliced_wasserstein(first, other, directions), torch.tensor(expected, dtype=torch.float64))


def test_the_sinkhorn_divergence_tends_to_scipys_transport_as_the_blur_vanishes():
    first, other = points(1, 12, 2), points(1, 12, 2, seed=1) + 1
    cost = squared_distances(first, other)[0].numpy() / 2
    expected = float(cost[linear_sum_assignment(cost)].mean())
    value = sinkhorn_divergence(first, other, blur=0.03, iterations=3_000)
    assert_close(float(value), expected, rtol=1e-2, atol=0)


def test_the_sinkhorn_divergence_equals_the_regularised_problem_solved_directly():
    """The second implementation is Sinkhorn's scaling iteration on exp(-C / w), with uniform weights, in numpy."""
    first, other, blur = points(1, 6, 2), points(1, 8, 2, seed=1), 0.7

    def regularised(x: np.ndarray, y: np.ndarray) -> float:
        cost, weight = ((x[:, None] - y[None]) ** 2).sum(-1) / 2, blur**2
        kernel, v = np.exp(-cost / weight), np.ones(len(y))
        for _ in range(2_000):
            u = 1 / (kernel @ (v / len(y)))
            v = 1 / (kernel.T @ (u / len(x)))
        plan = u[:, None] * kernel * v[None] / len(x) / len(y)
        return float((plan * cost).sum() + weight * (plan * np.log(plan * len(x) * len(y))).sum())

    x, y = first[0].numpy(), other[0].numpy()
    expected = regularised(x, y) - regularised(x, x) / 2 - regularised(y, y) / 2
    assert_close(float(sinkhorn_divergence(first, other, blur=blur, iterations=2_000)), expected, rtol=1e-9, atol=1e-12)


def test_the_gradient_of_the_sinkhorn_divergence_equals_finite_differences():
    first, other = points(1, 5, 2).requires_grad_(), points(1, 6, 2, seed=1)
    sinkhorn_divergence(first, other, blur=0.5, iterations=1_000).sum().backward()
    for index in ((0, 0, 0), (0, 3, 1)):
        shift = torch.zeros_like(first)
        shift[index] = 1e-5
        ends = [
            float(sinkhorn_divergence(first.detach() + sign * shift, other, blur=0.5, iterations=1_000))
            for sign in (1, -1)
        ]
        assert_close(float(first.grad[index]), (ends[0] - ends[1]) / 2e-5, rtol=1e-4, atol=1e-8)


def test_a_set_that_is_not_finite_does_not_change_the_distances_of_the_others():
    first, other = points(3, 6, 2), points(3, 6, 2, seed=1)
    spoiled = first.clone()
    spoiled[1] = torch.nan
    for distance in (
        lambda x: maximum_mean_discrepancy(x, other, SCALES),
        lambda x: sinkhorn_divergence(x, other, blur=0.1, iterations=10),
    ):
        assert torch.equal(distance(spoiled)[[0, 2]], distance(first)[[0, 2]])
        assert distance(spoiled)[1].isnan()
