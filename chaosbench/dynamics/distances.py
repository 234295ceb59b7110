"""Distances between sets of points, differentiable, for losses on what is invariant."""

from collections.abc import Sequence

import torch
from torch import Tensor


def maximum_mean_discrepancy(one: Tensor, other: Tensor, scales: Sequence[float]) -> Tensor:
    """MMD² of two samples with the kernel sum_a a² / (a² + |x - y|²), `(..., n, D), (..., m, D) -> (...)`.

    The biased estimate, which is never negative: means of the kernel over all pairs, the equal ones included.

    Source:
        Gretton et al. 2012, Journal of Machine Learning Research 13, 723, equation 5.
    """

    def mean_kernel(left: Tensor, right: Tensor) -> Tensor:
        squares = squared_distances(left, right)
        return torch.stack([(a * a / (a * a + squares)).mean(dim=(-2, -1)) for a in scales]).sum(dim=0)

    return mean_kernel(one, one) + mean_kernel(other, other) - 2 * mean_kernel(one, other)


def sliced_wasserstein(one: Tensor, other: Tensor, directions: Tensor, *, order: int = 2) -> Tensor:
    """Mean over directions of the Wasserstein distance of projections to its power, `(..., n, D) x 2 -> (...)`.

    Args:
        directions: `(..., D, P)`, unit vectors.
        order: p of the p-Wasserstein distance, and that power.

    Source:
        Bonneel, Rabin, Peyre and Pfister 2015, Journal of Mathematical Imaging and Vision 51, 22.
    """
    projected = [(points @ directions).sort(dim=-2).values for points in (one, other)]
    return (projected[0] - projected[1]).abs().pow(order).mean(dim=(-2, -1))


def sinkhorn_divergence(one: Tensor, other: Tensor, *, blur: float, iterations: int) -> Tensor:
    """Entropic transport cost for |x - y|² / 2, freed of its bias, `(..., n, D), (..., m, D) -> (...)`.

    Args:
        blur: square root of the entropy's weight, in the points' units.
        iterations: sweeps of Sinkhorn's algorithm, in which the weight falls from the cost's size to blur².

    Source:
        Feydy et al. 2019, AISTATS (1810.08278), equation 3; annealing: Schmitzer 2019, SIAM Journal on Scientific
        Computing 41, A1443.
    """
    return (
        _transport(one, other, blur, iterations)
        - _transport(one, one, blur, iterations) / 2
        - _transport(other, other, blur, iterations) / 2
    )


def squared_distances(one: Tensor, other: Tensor) -> Tensor:
    """|x - y|² of all pairs, `(..., n, D), (..., m, D) -> (..., n, m)`, without the square root's bad gradient."""
    norms = one.square().sum(dim=-1).unsqueeze(-1) + other.square().sum(dim=-1).unsqueeze(-2)
    return (norms - 2 * one @ other.mT).clamp(min=0)


def _transport(one: Tensor, other: Tensor, blur: float, iterations: int) -> Tensor:
    cost = squared_distances(one, other) / 2
    with torch.no_grad():
        dual = _dual(cost, blur, iterations)
    # The potentials' own derivatives cancel at the optimum: with g held, f carries the whole gradient, once.
    f = _soft_minimum(cost - dual.unsqueeze(-2), blur * blur)
    g = _soft_minimum((cost - f.unsqueeze(-1)).mT.detach(), blur * blur)
    return f.mean(dim=-1) + g.mean(dim=-1)


def _dual(cost: Tensor, blur: float, iterations: int) -> Tensor:
    """The potential of the second set, `(..., n, m) -> (..., m)`."""
    largest = cost.amax(dim=(-2, -1)).clamp(min=blur * blur)
    g = cost.new_zeros(*cost.shape[:-2], cost.shape[-1])
    for sweep in range(iterations):
        weight = largest * (blur * blur / largest) ** min(1.0, 2 * sweep / iterations)
        f = _soft_minimum(cost - g.unsqueeze(-2), weight.unsqueeze(-1))
        g = _soft_minimum((cost - f.unsqueeze(-1)).mT, weight.unsqueeze(-1))
    return g


def _soft_minimum(values: Tensor, weight: Tensor | float) -> Tensor:
    """-w log mean exp(-v / w) over the last axis."""
    scaled = -values / (weight.unsqueeze(-1) if isinstance(weight, Tensor) else weight)
    count = torch.tensor(float(values.shape[-1]), dtype=values.dtype, device=values.device)
    return -weight * (torch.logsumexp(scaled, dim=-1) - count.log())
