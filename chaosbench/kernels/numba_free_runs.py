"""Few orbits on one CPU core, one after the other, with the units of a network side by side in a vector."""

from functools import cache
from itertools import accumulate
from typing import NamedTuple

from chaosbench.kernels.lanes import (
    at_address,
    broadcast,
    constant,
    load,
    multiply_add,
    store,
    where_not_negative,
    where_positive,
)
from chaosbench.kernels.numba_compiled import compiled, inlined
from chaosbench.kernels.numba_products import ALMOST_LINEAR, CLIPPED, RELU, TANH, activated_alike


class Columns(NamedTuple):
    """Offsets into the work array: matrices column by column, vectors, and the numbers of one orbit."""

    inward: int
    outward: int
    readout: int
    diagonal: int
    bias: int
    threshold: int
    offset: int
    floor: int  # -inf for units without a relu, where the network is almost linear, and 0 for others
    state: int
    active: int
    slope: int  # of phi, where tangents need it
    shown: int
    units: int  # [numbers] padded to whole vectors, as the others
    hidden: int
    seen: int


@cache
def columns(units: int, hidden: int, seen: int, width: int) -> tuple[Columns, int]:
    """Return offsets and the size of the work array."""
    m, l, d = (-(-size // width) * width for size in (units, hidden, seen))  # noqa: E741  # L units
    *begins, end = accumulate((units * l, hidden * m, units * d, m, m, l, d, l, m, l, l, max(d, m)), initial=0)
    return Columns(*begins, m, l, d), end


@compiled
def follow_orbits(plan, room, work, coefficients, tensors):
    """Write the observations and the last states of all orbits, one orbit after the other."""
    start, observed, last = tensors
    for k in range(plan.seeds):
        pack_columns(plan, room, work, coefficients, k)
        for b in range(plan.samples):
            n = k * plan.samples + b
            load_state(plan, room, work, start, n)
            for t in range(plan.steps):
                advance(plan, room, work, False)
                _show(plan, room, work)
                for i in range(plan.seen):
                    observed[(n * plan.steps + t) * plan.seen + i] = work[room.shown + i]
            store_state(plan, room, work, last, n)


@compiled
def load_state(plan, room, work, states, n):
    """Copy the n-th state into the work array, with zeros behind."""
    for i in range(room.units):
        work[room.state + i] = states[n * plan.units + i] if i < plan.units else 0


@compiled
def store_state(plan, room, work, states, n):
    """Copy the state into the n-th place."""
    for i in range(plan.units):
        states[n * plan.units + i] = work[room.state + i]


@compiled
def advance(plan, room, work, sloping):
    """Replace z by A z + W1 phi(W2 z + h2) + h1, and keep the slopes of phi if `sloping`."""
    for v in range(0, room.hidden, plan.width):
        bare = load(work, room.state + v)
        if plan.inward:
            bare = product_with_columns(work, room.inward + v, room.hidden, room.state, plan.units)
        value = _activated(plan, room, work, v, bare)
        store(work, room.active + v, value)
        if sloping:
            store(work, room.slope + v, _slope(plan, room, work, v, bare, value))
    for v in range(0, room.units, plan.width):
        driven = load(work, room.active + v)
        if plan.outward:
            driven = product_with_columns(work, room.outward + v, room.units, room.active, plan.hidden)
        z = load(work, room.state + v)
        store(work, room.state + v, multiply_add(load(work, room.diagonal + v), z, driven + load(work, room.bias + v)))


@compiled
def _show(plan, room, work):
    """Write C z + d, or the first units and d."""
    for v in range(0, room.seen, plan.width):
        shown = load(work, room.state + v)
        if plan.readout:
            shown = product_with_columns(work, room.readout + v, room.seen, room.state, plan.units)
        store(work, room.shown + v, shown + load(work, room.offset + v))


@inlined
def product_with_columns(work, matrix, down, source, count):
    """Return one vector of a product of a matrix and `count` numbers, in four sums that the processor overlaps."""
    zero = constant(load(work, matrix), 0.0)
    a, b, c, d = zero, zero, zero, zero
    for _ in range(count // 4):
        a = multiply_add(broadcast(work, source), load(work, matrix), a)
        b = multiply_add(broadcast(work, source + 1), load(work, matrix + down), b)
        c = multiply_add(broadcast(work, source + 2), load(work, matrix + 2 * down), c)
        d = multiply_add(broadcast(work, source + 3), load(work, matrix + 3 * down), d)
        source += 4
        matrix += 4 * down
    for _ in range(count % 4):
        a = multiply_add(broadcast(work, source), load(work, matrix), a)
        source += 1
        matrix += down
    return (a + b) + (c + d)


@inlined
def _activated(plan, room, work, v, bare):
    shifted = bare + load(work, room.threshold + v)
    value = activated_alike(plan, bare, shifted)
    if plan.activation == ALMOST_LINEAR:
        value = where_not_negative(shifted - load(work, room.floor + v), shifted)
    return value


@inlined
def _slope(plan, room, work, v, bare, value):
    """Return the slope of phi as the models' tangents have it: zero at a kink."""
    one, shifted = constant(bare, 1.0), bare + load(work, room.threshold + v)
    slope = one
    if plan.activation == RELU:
        slope = where_positive(shifted, one)
    elif plan.activation == TANH:
        slope = one - value * value
    elif plan.activation == CLIPPED:
        slope = where_positive(shifted, one) - where_positive(bare, one)
    else:
        slope = where_positive(shifted - load(work, room.floor + v), one)
    return slope


@compiled
def pack_columns(plan, room, work, coefficients, k):
    """Copy the coefficients of seed k, given by their addresses, into the work array."""
    units, hidden, seen = plan.units, plan.hidden, plan.seen
    a, w1, w2, h1, h2, c, d = coefficients
    _copy_columns(work, room.inward, at_address(w2, work), k, (hidden, units, plan.inward, room.hidden))
    _copy_columns(work, room.outward, at_address(w1, work), k, (units, hidden, plan.outward, room.units))
    _copy_columns(work, room.readout, at_address(c, work), k, (seen, units, plan.readout, room.seen))
    _copy_columns(work, room.diagonal, at_address(a, work), k, (units, 1, min(a, 1), room.units))
    _copy_columns(work, room.bias, at_address(h1, work), k, (units, 1, min(h1, 1), room.units))
    _copy_columns(work, room.threshold, at_address(h2, work), k, (hidden, 1, min(h2, 1), room.hidden))
    _copy_columns(work, room.offset, at_address(d, work), k, (seen, 1, min(d, 1), room.seen))
    for i in range(room.hidden):
        work[room.floor + i] = -float("inf") if i < plan.linear else 0


@compiled
def _copy_columns(work, at, matrices, k, sizes):
    """Copy seed k's matrix column by column; sizes: rows, columns, layout as for `copy_in`, and padded rows."""
    rows, count, layout, padded = sizes
    begin, (down, across) = k * rows * count, (1, rows) if layout == 2 else (count, 1)
    for j in range(count):
        for i in range(padded):
            work[at + j * padded + i] = matrices[begin + i * down + j * across] if layout and i < rows else 0
