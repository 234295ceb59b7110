"""States with tangent vectors on one CPU core, in double precision, orthonormalised or rescaled at intervals.

A network's Jacobian is never formed. The tangents of a state are rows of units with the vectors side by side, so that
their step is that of a batch of samples.
"""

from math import log, nan
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chaosbench.kernels.entry import entry
from chaosbench.kernels.lanes import at_address, broadcast, load, multiply_add, pointer, store
from chaosbench.kernels.network import Network
from chaosbench.kernels.numba_compiled import compiled, inlined
from chaosbench.kernels.numba_cpu import addresses_of, planned
from chaosbench.kernels.numba_denormals import flush_denormals, restore_denormals
from chaosbench.kernels.numba_free_runs import advance, columns, load_state, pack_columns, store_state
from chaosbench.kernels.numba_gram_schmidt import Tangents, orthonormalise
from chaosbench.kernels.numba_plan import Plan
from chaosbench.kernels.numba_products import product_of_four


def grow(
    network: Network, states: Tensor, tangents: Tensor, *, steps: int, every: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return states and orthonormal tangents after `steps`, and the log growth of each direction.

    Args:
        states: `(K, B, M)`.
        tangents: `(K, B, M, m)`.
        every: steps between two orthonormalisations; there is one at the end as well [steps].

    Returns:
        `(K, B, M)`, `(K, B, M, m)` and `(K, B, m)` float64 [nats].
    """
    states, tangents = _copied(states), _copied(tangents)
    growth = states.new_zeros(*tangents.shape[:2], tangents.shape[-1])
    network, plan = planned(_double(network), states, steps, None)
    given = *_rooms(plan, tangents, every), addresses_of(network.coefficients)
    _grow(plan, *given, addresses_of((states, tangents, growth)))
    return states, tangents, growth


def multiply(
    network: Network,
    states: Tensor,
    product: Tensor,
    scale: Tensor,
    *,
    horizons: list[int],
    every: int,
    largest: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return states, the product of Jacobians and its scale after the last horizon, and products at all horizons.

    Args:
        states: `(K, B, M)`.
        product: `(K, B, M, m)`.
        scale: logarithm of a factor of the product, `(K, B)` float64; NaN at the first horizon with a state not finite.
        horizons: H, ascending [steps].
        every: steps between two rescalings [steps].
        largest: entry of a state that counts as finite.

    Returns:
        `(K, B, M)`; products at the horizons, `(K, B, H, M, m)`, and their scales, `(K, B, H)`.
    """
    states, product, scale = _copied(states), _copied(product), _copied(scale)
    count, (seeds, samples, units, vectors) = len(horizons), product.shape
    products = product.new_empty(seeds, samples, count, units, vectors)
    scales = product.new_empty(seeds, samples, count)
    network, plan = planned(_double(network), states, horizons[-1], None)
    given = *_rooms(plan, product, every), addresses_of(network.coefficients)
    tensors = addresses_of((states, product, scale, products, scales))
    _multiply(plan, *given, tensors, np.array(horizons, np.int64), largest)
    return states, product, products, scales


def _double(network: Network) -> Network:
    return network.with_coefficients([None if one is None else one.double() for one in network.coefficients])


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float64, memory_format=torch.contiguous_format, copy=True)


def _rooms(plan: Plan, tangents: Tensor, every: int) -> tuple[Any, Any]:
    """Return where numbers lie in the work array, and the array itself."""
    room, begin = columns(plan.units, plan.hidden, plan.seen, plan.width)
    count = tangents.shape[-1]
    across = -(-count // plan.width) * plan.width
    rows, inner = begin, begin + room.units * across
    products = inner + room.hidden * across
    vectors = Tangents(count, across, rows, inner, products, products + across, every)
    return (room, vectors), tangents.new_empty(products + 2 * across).numpy()


@entry
def _grow(plan, rooms, work, coefficients, tensors):
    (room, vectors), work, setting = rooms, pointer(work), flush_denormals()
    states, tangents, growth = tensors
    states, tangents, growth = at_address(states, work), at_address(tangents, work), at_address(growth, work)
    for k in range(plan.seeds):
        pack_columns(plan, room, work, coefficients, k)
        for b in range(plan.samples):
            n = k * plan.samples + b
            load_state(plan, room, work, states, n)
            _load_tangents(plan, room, vectors, work, tangents, n)
            for t in range(plan.steps):
                advance(plan, room, work, True)
                _advance_tangents(plan, room, vectors, work)
                if (t + 1) % vectors.every == 0 or t + 1 == plan.steps:
                    orthonormalise(plan, vectors, work, growth, n)
            store_state(plan, room, work, states, n)
            _store_tangents(plan, vectors, work, tangents, n)
    restore_denormals(setting)


@entry
def _multiply(plan, rooms, work, coefficients, tensors, horizons, largest):
    (room, vectors), work, setting = rooms, pointer(work), flush_denormals()
    states, product, scale, products, scales = tensors
    states, product, scale = at_address(states, work), at_address(product, work), at_address(scale, work)
    products, scales = at_address(products, work), at_address(scales, work)
    for k in range(plan.seeds):
        pack_columns(plan, room, work, coefficients, k)
        for b in range(plan.samples):
            n, h = k * plan.samples + b, 0
            load_state(plan, room, work, states, n)
            _load_tangents(plan, room, vectors, work, product, n)
            for t in range(1, plan.steps + 1):
                advance(plan, room, work, True)
                _advance_tangents(plan, room, vectors, work)
                if t % vectors.every == 0:
                    scale[n] += _rescale(plan, vectors, work)
                if t == horizons[h]:
                    _store_tangents(plan, vectors, work, products, n * horizons.size + h)
                    scale[n] += _nan_unless_finite(plan, room, work, largest)
                    scales[n * horizons.size + h] = scale[n]
                    h += 1
            store_state(plan, room, work, states, n)
            _store_tangents(plan, vectors, work, product, n)
    restore_denormals(setting)


@compiled
def _advance_tangents(plan, room, vectors, work):
    """Replace the tangents T by A T + W1 diag(phi') W2 T, one vector of columns after the other."""
    across = vectors.across
    for v in range(0, across, plan.width):
        rows_at, inner_at = (vectors.rows + v, across), (vectors.inner + v, across)
        for i in range(0, plan.hidden, 4):
            a, b, c, d = _four_rows(work, rows_at, i)
            if plan.inward:
                a, b, c, d = product_of_four(work, (room.inward + i, 1, room.hidden), work, rows_at, plan.units)
            s = room.slope + i
            a, b = a * broadcast(work, s), b * broadcast(work, s + 1)
            c, d = c * broadcast(work, s + 2), d * broadcast(work, s + 3)
            _store_four_rows(work, inner_at, i, (a, b, c, d))
        for i in range(0, plan.units, 4):
            a, b, c, d = _four_rows(work, inner_at, i)
            if plan.outward:
                a, b, c, d = product_of_four(work, (room.outward + i, 1, room.units), work, inner_at, plan.hidden)
            p, q, r, s = _four_rows(work, rows_at, i)
            f = room.diagonal + i
            a, b = multiply_add(broadcast(work, f), p, a), multiply_add(broadcast(work, f + 1), q, b)
            c, d = multiply_add(broadcast(work, f + 2), r, c), multiply_add(broadcast(work, f + 3), s, d)
            _store_four_rows(work, rows_at, i, (a, b, c, d))


@compiled
def _rescale(plan, vectors, work):
    """Divide the product by its largest entry and return the entry's logarithm; 0 for a product of zeros."""
    largest = 0.0
    for at in range(vectors.rows, vectors.rows + plan.units * vectors.across):
        largest = max(largest, abs(work[at]))
    if not largest > 0:
        return 0.0
    for at in range(vectors.rows, vectors.rows + plan.units * vectors.across):
        work[at] /= largest
    return log(largest)


@compiled
def _nan_unless_finite(plan, room, work, largest):
    """Return NaN if the state is not finite, and else 0."""
    for i in range(plan.units):
        if not abs(work[room.state + i]) <= largest:
            return nan
    return 0.0


@compiled
def _load_tangents(plan, room, vectors, work, tangents, n):
    count, across = vectors.count, vectors.across
    for i in range(room.units):
        for j in range(across):
            present = i < plan.units and j < count
            work[vectors.rows + i * across + j] = tangents[(n * plan.units + i) * count + j] if present else 0


@compiled
def _store_tangents(plan, vectors, work, tangents, n):
    for i in range(plan.units):
        for j in range(vectors.count):
            tangents[(n * plan.units + i) * vectors.count + j] = work[vectors.rows + i * vectors.across + j]


@inlined
def _four_rows(work, rows_at, i):
    r, stride = rows_at
    r += i * stride
    return load(work, r), load(work, r + stride), load(work, r + 2 * stride), load(work, r + 3 * stride)


@inlined
def _store_four_rows(work, rows_at, i, four):
    (r, stride), (a, b, c, d) = rows_at, four
    r += i * stride
    store(work, r, a)
    store(work, r + stride, b)
    store(work, r + 2 * stride, c)
    store(work, r + 3 * stride, d)
