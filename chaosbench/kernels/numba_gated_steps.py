"""One block of samples of an LSTM or GRU, forwards and backwards; sizes and memory as in `numba_steps`.

Both networks have four products a unit. LSTM: the gates i, f, g and o. GRU: r, u, the recurrent part q of the
candidate, which r multiplies, and the part p that it does not.
"""

from typing import NamedTuple

from chaosbench.kernels.lanes import broadcast, constant, load, multiply_add, store
from chaosbench.kernels.numba_compare import differ, find_lanes
from chaosbench.kernels.numba_compiled import compiled, inlined
from chaosbench.kernels.numba_plan import CHUNK, KEPT
from chaosbench.kernels.numba_products import add_outer, add_sums, product_of_four
from chaosbench.kernels.numba_rows import (
    clear_rows,
    copy_rows,
    four_rows,
    from_rows,
    into_rows,
    mute_copies,
    padded,
    store_four,
)
from chaosbench.kernels.numba_tanh import squashed

GATES = 4  # products of a unit


class GatedPlan(NamedTuple):
    """Sizes of an unroll."""

    seeds: int  # K
    samples: int  # B
    steps: int  # T
    units: int  # M
    seen: int  # D
    parts: int  # of the state: 2 for the (h, c) of an LSTM, 1 for the h of a GRU
    width: int  # samples in a vector
    slots: int  # moments that are stored: T + 1 for a backward pass, otherwise 2
    segments: int = 1  # this and what follows as in the plan of `numba_plan`
    length: int = 0
    spacing: int = 0
    slope: float = 0.0


class GatedRoom(NamedTuple):
    """Offsets into the work array: a seed's coefficients, vectors of their gradients, rows of samples."""

    weight: int
    bias: int
    readout: int
    offset: int
    by_weight: int
    by_bias: int
    by_readout: int
    by_offset: int
    by_hidden: int
    by_cell: int
    shown: int
    error: int
    inside: int  # from here on rows KEPT vectors apart: gradients by the products
    by_shown: int
    hidden: int  # h before and after the steps of a chunk


@compiled
def moment_at(plan, block, t):
    """Return where the rows of a moment begin: h, the LSTM's c, the gates before it, and the LSTM's tanh(c)."""
    (k, first), rows = block, (GATES + 1 if plan.parts == 1 else GATES + 3) * plan.units
    blocks = (plan.samples + plan.width - 1) // plan.width
    number = k * blocks + first // plan.width if plan.slots > plan.steps and not plan.length else 0
    return (number * plan.slots + t % plan.slots) * rows * plan.width


@compiled
def gated_forward(plan, room, pointers, others, block):
    """Step a block of samples, and write observations and last states."""
    (work, states), (start, observed, last), (k, first), width = pointers, others, block, plan.width
    for part in range(plan.parts):
        rows_at = moment_at(plan, block, 0) + part * plan.units * width, width
        into_rows(states, rows_at, start, (k, first, plan.samples, plan.parts, part, width), plan.units)
    for t in range(plan.steps):
        here, ahead = moment_at(plan, block, t), moment_at(plan, block, t + 1)
        _step(plan, room, work, states, (here, ahead))
        if not plan.length:
            _show(plan, room, work, states, ahead)
            where = (k, first, plan.samples, plan.steps, t, width)
            from_rows(observed, where, work, (room.shown, width), plan.seen)
    for part in range(plan.parts if not plan.length else 0):
        rows_at = moment_at(plan, block, plan.steps) + part * plan.units * width, width
        from_rows(last, (k, first, plan.samples, plan.parts, part, width), states, rows_at, plan.units)


@compiled
def _step(plan, room, work, states, moment):
    """Step from `here` to `ahead` and store the gates of the step there."""
    (here, ahead), units, columns, width = moment, plan.units, padded(plan.units), plan.width
    apart = units * width
    gates = ahead + plan.parts * apart
    for j in range(units):
        matrix_at = (room.weight + j * columns, units * columns, 1)
        a, b, c, d = product_of_four(work, matrix_at, states, (here, width), units)
        a, b = a + broadcast(work, room.bias + j), b + broadcast(work, room.bias + units + j)
        c, d = c + broadcast(work, room.bias + 2 * units + j), d + broadcast(work, room.bias + 3 * units + j)
        a, b = _sigmoid(a), _sigmoid(b)
        at = j * width
        if plan.parts == 2:
            c, d = squashed(c), _sigmoid(d)
            cell = multiply_add(b, load(states, here + apart + at), a * c)
            hidden = squashed(cell)
            store(states, ahead + apart + at, cell)
            store(states, gates + GATES * apart + at, hidden)
            hidden = d * hidden
        else:
            d = squashed(multiply_add(a, c, d))
            hidden = multiply_add(b, load(states, here + at) - d, d)
        store(states, ahead + at, hidden)
        store_four(states, gates + at, apart, (a, b, c, d))


@inlined
def _sigmoid(x):
    half = constant(x, 0.5)
    return multiply_add(half, squashed(half * x), half)


@compiled
def _show(plan, room, work, states, hidden):
    """Write C h + d to the rows for what is observed."""
    width, columns = plan.width, padded(plan.units)
    for i in range(0, plan.seen, 4):
        matrix_at = (room.readout + i * columns, columns, 1)
        a, b, c, d = product_of_four(work, matrix_at, states, (hidden, width), plan.units)
        a, b = a + broadcast(work, room.offset + i), b + broadcast(work, room.offset + i + 1)
        c, d = c + broadcast(work, room.offset + i + 2), d + broadcast(work, room.offset + i + 3)
        store_four(work, room.shown + i * width, width, (a, b, c, d))


@compiled
def gated_back(plan, room, pointers, given, by_start, block):
    """Go back through the steps of a block of samples, and add to the gradients of the coefficients."""
    (work, _), (observed, last, lanes), (k, first) = pointers, given, block
    width, units, end = plan.width, plan.units, plan.steps
    clear_rows(work, (room.by_hidden, width), padded(units))
    clear_rows(work, (room.by_cell, width), units)
    if plan.length:
        find_lanes(plan, lanes, k, first)
    for part in range(plan.parts if not plan.length else 0):
        rows_at, where = (room.by_cell if part else room.by_hidden, width), (k, first, plan.samples, plan.parts, part)
        into_rows(work, rows_at, last, (*where, width), units)
        mute_copies(work, rows_at, (*where, width), units)
    while end > 0:
        begin = max(0, end - CHUNK)
        _chunk_back(plan, room, pointers, (observed, lanes), (k, first, begin, end))
        _add_chunk(plan, room, pointers, (k, first, begin, end))
        end = begin
    for part in range(plan.parts):
        rows_at, where = (room.by_cell if part else room.by_hidden, width), (k, first, plan.samples, plan.parts, part)
        from_rows(by_start, (*where, width), work, rows_at, units)


@compiled
def _chunk_back(plan, room, pointers, given, span):
    """Go back through the steps of a chunk and keep the rows of which gradients of weights are products."""
    (work, states), (observed, lanes), (k, first, begin, end) = pointers, given, span
    width, kept = plan.width, KEPT * plan.width
    for t in range(begin, end + 1):
        hidden_at = room.hidden + (t - begin) * width, kept
        copy_rows(work, hidden_at, states, (moment_at(plan, (k, first), t), width), plan.units)
    for t in range(end - 1, begin - 1, -1):
        u, where = (t - begin) * width, (k, first, plan.samples, plan.steps, t, width)
        shown_at = (room.by_shown + u, kept)
        if plan.length:
            _show(plan, room, work, states, moment_at(plan, (k, first), t + 1))
            differ(plan, room, work, u, observed, lanes, t)
        else:
            into_rows(work, shown_at, observed, where, plan.seen)
            mute_copies(work, shown_at, where, plan.seen)
        _add_product(plan, room, work, room.readout, (shown_at, plan.seen))
        moment = moment_at(plan, (k, first), t), moment_at(plan, (k, first), t + 1)
        if plan.parts == 2:
            _lstm_back(plan, room, work, states, moment, u)
        else:
            _gru_back(plan, room, work, states, moment, u)
        _add_product(plan, room, work, room.weight, ((room.inside + u, kept), GATES * plan.units))


@compiled
def _add_product(plan, room, work, matrix, right):
    """Add W^T Y to the gradient by h."""
    ((y, stride), rows), width, columns = right, plan.width, padded(plan.units)
    for m in range(0, columns, 4):
        a, b, c, d = product_of_four(work, (matrix + m, 1, columns), work, (y, stride), rows)
        at = room.by_hidden + m * width
        p, q, r, s = four_rows(work, at, width)
        store_four(work, at, width, (p + a, q + b, r + c, s + d))


@compiled
def _lstm_back(plan, room, work, states, moment, u):
    """Turn the gradients by h' and c' into that by c and those by the gates before activation."""
    (here, ahead), units, width, apart = moment, plan.units, plan.width, plan.units * plan.width
    gates, inside = ahead + 2 * apart, room.inside + u
    for j in range(units):
        i, f, g, o, tanh = _stored(states, gates + j * width, apart)
        at, cell_at, one = room.by_hidden + j * width, room.by_cell + j * width, constant(i, 1.0)
        by_hidden, before = load(work, at), load(states, here + apart + j * width)
        by_cell = multiply_add(by_hidden * o, one - tanh * tanh, load(work, cell_at))
        by_i, by_f = by_cell * g * i * (one - i), by_cell * before * f * (one - f)
        by_g, by_o = by_cell * i * (one - g * g), by_hidden * tanh * o * (one - o)
        store_four(work, inside + j * KEPT * width, KEPT * apart, (by_i, by_f, by_g, by_o))
        store(work, cell_at, by_cell * f)
        store(work, at, constant(i, 0.0))


@compiled
def _gru_back(plan, room, work, states, moment, u):
    """Turn the gradient by h' into what is direct of that by h, and those by the products."""
    (here, ahead), units, width, apart = moment, plan.units, plan.width, plan.units * plan.width
    gates, inside = ahead + apart, room.inside + u
    for j in range(units):
        r, v, q, n = four_rows(states, gates + j * width, apart)
        at, one = room.by_hidden + j * width, constant(r, 1.0)
        by_hidden, before = load(work, at), load(states, here + j * width)
        by_v = by_hidden * (before - n) * v * (one - v)
        by_p = by_hidden * (one - v) * (one - n * n)
        store_four(work, inside + j * KEPT * width, KEPT * apart, (by_p * q * r * (one - r), by_v, by_p * r, by_p))
        store(work, at, by_hidden * v)


@inlined
def _stored(states, at, apart):
    a, b, c, d = four_rows(states, at, apart)
    return a, b, c, d, load(states, at + GATES * apart)


@compiled
def _add_chunk(plan, room, pointers, span):
    """Add a chunk's products to the gradients of the coefficients."""
    (work, _), (_, _, begin, end), width = pointers, span, plan.width
    kept, columns = KEPT * width, padded(plan.units)
    rows, seen, steps = GATES * plan.units, padded(plan.seen), end - begin
    add_sums(work, room.by_bias, (room.inside, kept), (rows, steps, width))
    add_sums(work, room.by_offset, (room.by_shown, kept), (plan.seen, steps, width))
    sizes, before = (rows, columns, steps, width), (room.hidden, kept)
    add_outer(work, (room.by_weight, columns), (room.inside, kept), work, before, sizes)
    sizes, after = (seen, columns, steps, width), (room.hidden + width, kept)
    add_outer(work, (room.by_readout, columns), (room.by_shown, kept), work, after, sizes)
