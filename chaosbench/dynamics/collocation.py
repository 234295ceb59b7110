"""Implicit Runge-Kutta methods: the coefficients of the families of Gauss and Radau."""

from functools import lru_cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Family = Literal["gauss", "radau"]


class Collocation(NamedTuple):
    """Coefficients of a collocation method with s stages.

    Attributes:
        nodes: c, `(s)`, in units of the step.
        matrix: A, `(s, s)`.
        weights: b, `(s)`.
        ends: b A^-1, `(s)`: the step is z + sum of `ends` times the increments of the stages.
        damping: gamma, the real eigenvalue of A for an odd number of stages; it filters the error of stiff components.
        errors: `(s)`, weights of the increments in an estimate of the error, beside gamma h f(z).
    """

    nodes: Tensor
    matrix: Tensor
    weights: Tensor
    ends: Tensor
    damping: float
    errors: Tensor


@lru_cache(maxsize=8)
def collocation(family: Family, stages: int) -> Collocation:
    """Return the coefficients of a method with `stages` stages, in float64.

    "gauss" (Gauss-Legendre) has order 2 s; it is symplectic and symmetric and preserves quadratic invariants. "radau"
    (Radau IIA) has order 2 s - 1; it is L-stable: stiff components are damped. The embedded formula of order s gives
    the estimate of the error.

    Source:
        Hairer & Wanner 1996, Solving Ordinary Differential Equations II, second edition, sections IV.5 and IV.8;
        for s stages: Hairer & Wanner 1999, Journal of Computational and Applied Mathematics 111, 93.
    """
    nodes = _legendre_nodes(stages) if family == "gauss" else _radau_nodes(stages)
    # In the basis of Legendre polynomials P, with P^T B P = 1, A is P X P^T B with a tridiagonal X (section IV.5).
    # Powers of the nodes would lose a digit, and with it the conservation of quadratic invariants to rounding.
    polynomials = _legendre(nodes, stages)  # (stage, degree)
    weights = 1 / polynomials.square().sum(-1)
    weighted = polynomials.mT * weights
    order = torch.arange(1, stages, dtype=torch.float64)
    side = 1 / (2 * (4 * order * order - 1).sqrt())
    shape = torch.diag(side, -1) - torch.diag(side, 1)
    shape[0, 0] = 0.5
    if family == "radau":
        shape[-1, -1] = 1 / (4 * stages - 2) if stages > 1 else 1.0
    matrix = polynomials @ shape @ weighted
    values = torch.linalg.eigvals(matrix)
    damping = float(values[values.imag.abs().argmin()].real)
    # The embedded formula uses gamma h f(z), so its other weights differ from b in the condition of order one alone.
    begin = _legendre(torch.zeros(1, dtype=torch.float64), stages)[0]
    ends, errors = torch.linalg.solve(shape.mT, torch.stack([torch.eye(stages, dtype=torch.float64)[0], begin]).mT).mT
    return Collocation(nodes, matrix, weights, ends @ weighted, damping, -damping * errors @ weighted)


def _legendre(points: Tensor, count: int) -> Tensor:
    """Return the first Legendre polynomials, orthonormal on [0, 1], at points `(n)`, as `(n, count)`."""
    x = 2 * points - 1
    values = [torch.ones_like(x), x]
    for degree in range(1, count - 1):
        values.append(((2 * degree + 1) * x * values[-1] - degree * values[-2]) / (degree + 1))
    lengths = (2 * torch.arange(count, dtype=torch.float64) + 1).sqrt()
    return torch.stack(values[:count], dim=-1) * lengths


def _legendre_nodes(count: int) -> Tensor:
    """Return the zeros of the Legendre polynomial on [0, 1], from its Jacobi matrix (Golub & Welsch 1969)."""
    order = torch.arange(1, count, dtype=torch.float64)
    return (1 + _zeros(torch.zeros(count, dtype=torch.float64), order / (4 * order * order - 1).sqrt())) / 2


def _radau_nodes(count: int) -> Tensor:
    """Return the zeros of the Jacobi polynomial for the weight 1 - x, and the right end, on [0, 1]."""
    order = torch.arange(count - 1, dtype=torch.float64)
    inner = _zeros(-1 / ((2 * order + 1) * (2 * order + 3)), ((order * (order + 1)).sqrt() / (2 * order + 1))[1:])
    return (1 + torch.cat([inner, torch.ones(1, dtype=torch.float64)])) / 2


def _zeros(diagonal: Tensor, side: Tensor) -> Tensor:
    matrix = torch.diag(diagonal) + torch.diag(side, 1) + torch.diag(side, -1)
    zeros: Tensor = torch.linalg.eigvalsh(matrix)
    return zeros
