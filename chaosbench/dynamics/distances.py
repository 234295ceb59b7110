"""Distances between clouds of points, differentiable: shared by losses on the attractor and by metrics.

Each distance compares two samples of points, regardless of their order in time, and works on any leading axes. The
functions return powers (MMD², W_p^p), whose gradients exist where the clouds coincide; a metric takes the root.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def maximum_mean_discrepancy(cloud: Tensor, other: Tensor, scales: Sequence[float]) -> Tensor:
    """Return the squared maximum mean discrepancy MMD² with the kernel sum_a a² / (a² + |x - y|²).

    This is the biased estimate, the mean of the kernel over all pairs including equal ones, which is never negative
    except by rounding.

    Args:
        cloud: `(..., n, D)`.
        other: `(..., m, D)`.
        scales: a, the length scales of the kernel, in the units of the points.

    Returns:
        `(...)`, dimensionless.

    Source:
        Gretton et al. 2012, Journal of Machine Learning Research 13, 723, equation 5.
    """

    def mean_kernel(left: Tensor, right: Tensor) -> Tensor:
        squares = squared_distances(left, right)
        return torch.stack([(a * a / (a * a + squares)).mean(dim=(-2, -1)) for a in scales]).sum(dim=0)

    return mean_kernel(cloud, cloud) + mean_kernel(other, other) - 2 * mean_kernel(cloud, other)


def sliced_wasserstein(cloud: Tensor, other: Tensor, directions: Tensor, *, order: int = 2) -> Tensor:
    """Return the p-th power of the p-Wasserstein distance of projections on a line, averaged over directions.

    On a line the optimal transport joins sorted values.

    Args:
        cloud, other: `(..., n, D)`, with equal numbers of points.
        directions: `(..., D, P)`, unit vectors.
        order: p.

    Returns:
        `(...)`, in the units of the points to the power p.

    Source:
        Bonneel, Rabin, Peyre and Pfister 2015, Journal of Mathematical Imaging and Vision 51, 22.
    """
    projected = [(points @ directions).sort(dim=-2).values for points in (cloud, other)]
    return (projected[0] - projected[1]).abs().pow(order).mean(dim=(-2, -1))


def sinkhorn_divergence(cloud: Tensor, other: Tensor, *, blur: float, iterations: int) -> Tensor:
    """Return the debiased entropic transport cost for the cost |x - y|² / 2 (Sinkhorn divergence).

    Args:
        cloud: `(..., n, D)`.
        other: `(..., m, D)`.
        blur: square root of the weight of the entropy term, in the units of the points.
        iterations: sweeps of Sinkhorn's algorithm; the weight falls from the largest cost to blur² in the first half.

    Returns:
        `(...)`, in the squared units of the points.

    Source:
        Feydy et al. 2019, AISTATS (1810.08278), equation 3; annealing: Schmitzer 2019, SIAM Journal on Scientific
        Computing 41, A1443.
    """
    return (
        _transport(cloud, other, blur, iterations)
        - _transport(cloud, cloud, blur, iterations) / 2
        - _transport(other, other, blur, iterations) / 2
    )


def squared_distances(cloud: Tensor, other: Tensor) -> Tensor:
    """Return |x - y|² of all pairs, `(..., n, D), (..., m, D) -> (..., n, m)`.

    Unlike a square root, the squares have finite gradients at zero. They come from products of matrices, so distances
    below 1e-8 of the points' norms (float64) are lost to rounding.
    """
    norms = cloud.square().sum(dim=-1).unsqueeze(-1) + other.square().sum(dim=-1).unsqueeze(-2)
    return (norms - 2 * cloud @ other.mT).clamp(min=0)


def _transport(cloud: Tensor, other: Tensor, blur: float, iterations: int) -> Tensor:
    """Return the entropic transport cost, `(...)`."""
    cost = squared_distances(cloud, other) / 2
    with torch.no_grad():
        dual = _dual(cost, blur, iterations)
    # At the optimum the cost is stationary in the potentials, so f with a fixed g already has the whole gradient.
    f = _soft_minimum(cost - dual.unsqueeze(-2), blur * blur)
    g = _soft_minimum((cost - f.unsqueeze(-1)).mT.detach(), blur * blur)
    return f.mean(dim=-1) + g.mean(dim=-1)


def _dual(cost: Tensor, blur: float, iterations: int) -> Tensor:
    """Return the dual potential of the second cloud, `(..., n, m) -> (..., m)`."""
    largest = cost.amax(dim=(-2, -1)).clamp(min=blur * blur)
    g = cost.new_zeros(*cost.shape[:-2], cost.shape[-1])
    for sweep in range(iterations):
        weight = largest * (blur * blur / largest) ** min(1.0, 2 * sweep / iterations)
        f = _soft_minimum(cost - g.unsqueeze(-2), weight.unsqueeze(-1))
        g = _soft_minimum((cost - f.unsqueeze(-1)).mT, weight.unsqueeze(-1))
    return g


def _soft_minimum(values: Tensor, weight: Tensor | float) -> Tensor:
    """Return -w log mean exp(-v / w) over the last axis."""
    scaled = -values / (weight.unsqueeze(-1) if isinstance(weight, Tensor) else weight)
    count = values.new_full((), float(values.shape[-1]))
    return -weight * (torch.logsumexp(scaled, dim=-1) - count.log())
