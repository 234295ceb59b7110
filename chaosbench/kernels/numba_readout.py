"""States that show observations, z = B⁺ x, and the gradients by B and x, compiled by numba."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from chaosbench.kernels.entry import entry
from chaosbench.kernels.lanes import at_address, pointer
from chaosbench.kernels.numba_compiled import compiled


class ReadoutPlan(NamedTuple):
    """Sizes of the read-outs B of all seeds."""

    seeds: int  # K
    samples: int  # n
    units: int  # M
    seen: int  # D


def forward(weight: Tensor, observation: Tensor) -> tuple[Tensor, Any]:
    """Return the states B⁺ x, `(K, B, M)`, and in double precision (B Bᵀ)⁻¹ beside (B⁺)ᵀ, `(K, D, D + M)`."""
    plan = _planned(weight, observation)
    states = torch.empty(plan.seeds, plan.samples, plan.units, dtype=weight.dtype)
    solved = np.empty((plan.seeds, plan.seen, plan.seen + plan.units))
    addresses = weight.data_ptr(), observation.data_ptr(), states.data_ptr()
    _forward(plan, solved, np.empty(1, solved.dtype if weight.dtype == torch.float64 else np.float32), addresses)
    return states, solved


def backward(weight: Tensor, observation: Tensor, solved: Any, by_states: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients by B and by x, from that by the states."""
    plan = _planned(weight, observation)
    by_weight, by_observation = torch.empty_like(weight), torch.empty_like(observation)
    given = weight.data_ptr(), observation.data_ptr(), by_states.data_ptr()
    found = by_weight.data_ptr(), by_observation.data_ptr()
    _backward(plan, solved, np.empty(1, solved.dtype if weight.dtype == torch.float64 else np.float32), given, found)
    return by_weight, by_observation


def _planned(weight: Tensor, observation: Tensor) -> ReadoutPlan:
    return ReadoutPlan(weight.shape[0], observation.shape[1], weight.shape[2], weight.shape[1])


@entry
def _forward(plan, solved, work, addresses):
    work, (weight, observation, states), units = pointer(work), addresses, plan.units
    weight, observation, states = at_address(weight, work), at_address(observation, work), at_address(states, work)
    row = np.empty(units)
    for k in range(plan.seeds):
        _solve(plan, solved[k], weight, k)
        for n in range(plan.samples):
            at = k * plan.samples + n
            row[:] = 0.0
            for d in range(plan.seen):
                x = observation[at * plan.seen + d]
                for i in range(units):
                    row[i] += x * solved[k, d, plan.seen + i]
            for i in range(units):
                states[at * units + i] = row[i]


@entry
def _backward(plan, solved, work, given, found):
    work, units, seen = pointer(work), plan.units, plan.seen
    weight, observation, by_states = given
    weight, observation, by_states = (
        at_address(weight, work),
        at_address(observation, work),
        at_address(by_states, work),
    )
    by_weight, by_observation = at_address(found[0], work), at_address(found[1], work)
    by_pseudo = np.empty((seen, units))
    for k in range(plan.seeds):
        by_pseudo[:] = 0.0
        for n in range(plan.samples):
            at = k * plan.samples + n
            for d in range(seen):
                x, by_x = observation[at * seen + d], 0.0
                for i in range(units):
                    by_pseudo[d, i] += x * by_states[at * units + i]
                for i in range(units):
                    by_x += solved[k, d, seen + i] * by_states[at * units + i]
                by_observation[at * seen + d] = by_x
        _add_weight(plan, solved[k], by_pseudo, weight, by_weight, k)


@compiled
def _add_weight(plan, solved, by_pseudo, weight, by_weight, k):
    """Write the gradient by B: N G - (Q + Qᵀ) B with N = (B Bᵀ)⁻¹, G that by (B⁺)ᵀ and Q = N G Bᵀ N = N G B⁺."""
    seen, units = plan.seen, plan.units
    driven, product = np.empty((seen, units)), np.empty((seen, seen))
    for d in range(seen):
        for i in range(units):
            driven[d, i] = 0.0
            for e in range(seen):
                driven[d, i] += solved[d, e] * by_pseudo[e, i]
    for d in range(seen):
        for e in range(seen):
            product[d, e] = 0.0
            for i in range(units):
                product[d, e] += driven[d, i] * solved[e, seen + i]
    for d in range(seen):
        for i in range(units):
            total = driven[d, i]
            for e in range(seen):
                total -= (product[d, e] + product[e, d]) * weight[(k * seen + e) * units + i]
            by_weight[(k * seen + d) * units + i] = total


@compiled
def _solve(plan, solved, weight, k):
    """Write N = (B Bᵀ)⁻¹ and N B = (B⁺)ᵀ by elimination with pivots; NaN where B Bᵀ is singular or not finite."""
    seen, units = plan.seen, plan.units
    gram = np.empty((seen, seen))
    for d in range(seen):
        for e in range(seen):
            gram[d, e] = 0.0
            for i in range(units):
                gram[d, e] += np.float64(weight[(k * seen + d) * units + i]) * weight[(k * seen + e) * units + i]
            solved[d, e] = 1.0 if d == e else 0.0
        for i in range(units):
            solved[d, seen + i] = weight[(k * seen + d) * units + i]
    for d in range(seen):
        best = d
        for e in range(d + 1, seen):
            if abs(gram[e, d]) > abs(gram[best, d]):
                best = e
        pivot = gram[best, d]
        if pivot == 0.0 or not np.isfinite(pivot):
            solved[:] = np.nan
            return
        _eliminate(gram, solved, d, best)


@compiled
def _eliminate(gram, solved, d, best):
    """Swap a row with that of the pivot, divide it by the pivot, and subtract it from the others."""
    seen, width = gram.shape[0], solved.shape[1]
    for e in range(seen):
        gram[d, e], gram[best, e] = gram[best, e], gram[d, e]
    for e in range(width):
        solved[d, e], solved[best, e] = solved[best, e], solved[d, e]
    pivot = gram[d, d]
    for e in range(seen):
        gram[d, e] /= pivot
    for e in range(width):
        solved[d, e] /= pivot
    for row in range(seen):
        factor = gram[row, d] if row != d else 0.0
        for e in range(seen):
            gram[row, e] -= factor * gram[d, e]
        for e in range(width):
            solved[row, e] -= factor * solved[d, e]
