"""Monomials of several variables, their tangents, and regressions on them that fit into memory."""

from collections.abc import Sequence
from functools import cache
from itertools import combinations_with_replacement, pairwise

import torch
from torch import Tensor

_CHUNK = 8192  # rows that are factorised at once


def terms(dimension: int, degree: int) -> list[tuple[int, ...]]:
    """List the monomials up to a degree, constant first, each by the indices of its factors: (0, 0, 2) is x0² x2."""
    return [term for power in range(degree + 1) for term in combinations_with_replacement(range(dimension), power)]


def library(state: Tensor, monomials: Sequence[tuple[int, ...]]) -> Tensor:
    """Evaluate theta(x), `(..., D) -> (..., terms)`; the monomials are those of `terms`."""
    degrees = [torch.ones_like(state[..., :1]), state]
    for lower, last in _factors(state.shape[-1], len(monomials[-1])):
        degrees.append(degrees[-1][..., lower] * state[..., last])
    return torch.cat(degrees, dim=-1)


def library_tangents(state: Tensor, tangents: Tensor, monomials: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    """Return theta(x) and its tangents, `(..., D), (..., D, M) -> (..., terms), (..., terms, M)`."""
    degrees, slopes = [torch.ones_like(state[..., :1]), state], [torch.zeros_like(tangents[..., :1, :]), tangents]
    for lower, last in _factors(state.shape[-1], len(monomials[-1])):
        below, factor = degrees[-1][..., lower], state[..., last]
        grown = slopes[-1][..., lower, :] * factor[..., None]
        slopes.append(torch.addcmul(grown, below[..., None], tangents[..., last, :]))
        degrees.append(below * factor)
    return torch.cat(degrees, dim=-1), torch.cat(slopes, dim=-2)


@cache
def _factors(dimension: int, degree: int) -> list[tuple[Tensor, Tensor]]:
    """Return, for each degree above 1, the indices of a monomial of one degree less and of the variable times it."""
    degrees = [list(combinations_with_replacement(range(dimension), power)) for power in range(1, degree + 1)]
    found = []
    for lower, higher in pairwise(degrees):
        index_of = {term: index for index, term in enumerate(lower)}
        indices = [[index_of[term[:-1]] for term in higher], [term[-1] for term in higher]]
        found.append((torch.tensor(indices[0]), torch.tensor(indices[1])))
    return found


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
