"""Monomials of several variables, their tangents, and regressions on them that fit into memory."""

from collections.abc import Sequence
from itertools import combinations_with_replacement

import torch
from torch import Tensor

_CHUNK = 8192  # rows that are factorised at once


def terms(dimension: int, degree: int) -> list[tuple[int, ...]]:
    """List the monomials up to a degree, constant first, each by the indices of its factors: (0, 0, 2) is x0² x2."""
    return [term for power in range(degree + 1) for term in combinations_with_replacement(range(dimension), power)]


def library(state: Tensor, monomials: Sequence[tuple[int, ...]]) -> Tensor:
    """Evaluate theta(x), `(..., D) -> (..., terms)`."""
    columns = [state.select(-1, index) for index in range(state.shape[-1])]
    products: dict[tuple[int, ...], Tensor] = {(): torch.ones_like(columns[0])}
    for term in monomials[1:]:  # each is an earlier monomial times its last factor
        products[term] = products[term[:-1]] * columns[term[-1]]
    return torch.stack([products[term] for term in monomials], dim=-1)


def library_tangents(state: Tensor, tangents: Tensor, monomials: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    """Return theta(x) and its tangents, `(..., D), (..., D, M) -> (..., terms), (..., terms, M)`."""
    values = library(state, monomials)
    slopes: dict[tuple[int, ...], Tensor] = {(): torch.zeros_like(tangents[..., 0, :])}
    index_of = {term: index for index, term in enumerate(monomials)}
    for term in monomials[1:]:
        lower, factor = term[:-1], term[-1]
        grown = slopes[lower] * state[..., factor, None]
        slopes[term] = torch.addcmul(grown, values[..., index_of[lower], None], tangents[..., factor, :])
    return values, torch.stack([slopes[term] for term in monomials], dim=-2)


def condensed(points: Tensor, targets: Tensor, monomials: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    """Return a regression of targets on theta(x) with few rows that has the same solutions on any of its terms.

    The factor R of (theta(x), y) = Q R has the same products of columns, on which least squares and ridges depend; it
    is found chunk by chunk, so that all rows of theta(x) are never in memory.

    Args:
        points, targets: x, `(rows, D)`, and y, `(rows, targets)`.
        monomials: T terms.

    Returns:
        Columns of R, `(T + targets, T)` and `(T + targets, targets)`.

    Source:
        Demmel, Grigori, Hoemmen and Langou 2012, SIAM Journal on Scientific Computing 34, A206: QR of tall matrices.
    """
    factor = points.new_empty(0, len(monomials) + targets.shape[1])
    for inputs, outputs in zip(points.split(_CHUNK), targets.split(_CHUNK), strict=True):
        rows = torch.cat([library(inputs, monomials), outputs], dim=1)
        factor = torch.linalg.qr(torch.cat([factor, rows]), mode="r").R
    return factor[:, : len(monomials)], factor[:, len(monomials) :]
