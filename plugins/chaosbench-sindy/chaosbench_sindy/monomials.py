"""Monomials of several variables, and their tangents."""

from collections.abc import Sequence
from itertools import combinations_with_replacement

import torch
from torch import Tensor


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
