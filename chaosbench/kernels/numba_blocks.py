"""The unroll of one vector of samples, forwards and backwards."""

from chaosbench.kernels.lanes import pointer
from chaosbench.kernels.numba_compare import compare, find_lanes
from chaosbench.kernels.numba_products import add_outer, add_row_products, add_sums, compiled
from chaosbench.kernels.numba_rows import (
    clear_rows,
    copy_in,
    copy_out,
    copy_rows,
    from_rows,
    into_rows,
    mute_copies,
    padded,
)
from chaosbench.kernels.numba_steps import (
    CHUNK,
    KEPT,
    force,
    force_back,
    is_forced,
    observe,
    observe_back,
    states_at,
    step,
    step_back,
)


@compiled
def block_forward(plan, room, pointers, others, block):
    """Step a vector of samples through all states, and write observations and last states unless data are compared."""
    (work, forcing, states), (start, observed, last), (k, first) = pointers, others, block
    samples, steps, width, rows = plan.samples, plan.steps, plan.width, padded(plan.units)
    base, stride = states_at(plan, k, first)
    clear_rows(states, (base, stride), rows)
    into_rows(states, (base, stride), start, (k, first, samples, 1, 0, width), plan.units)
    for t in range(steps):
        here, ahead = (base + t * width, stride), (base + (t + 1) * width, stride)
        if is_forced(plan, t):
            clear_rows(work, (room.drawn, width), rows)
            force(plan, work, (room.drawn, width), states, here, forcing, (k, first, t))
            step(plan, room, work, work, (room.drawn, width), states, ahead)
        else:
            step(plan, room, work, states, here, states, ahead)
        if not plan.length:
            observe(plan, room, work, states, ahead, observed, (k, first, samples, steps, t, width))
    if not plan.length:
        from_rows(last, (k, first, samples, 1, 0, width), states, (base + steps * width, stride), plan.units)


@compiled
def block_back(plan, room, pointers, given, found, block):
    """Go back through the steps of a vector of samples, and add to the gradients of the coefficients."""
    (work, forcing, states), (observed, last, lanes), (by_start, by_signals), (k, first) = pointers, given, found, block
    where, gradient_at = (k, first, plan.samples, 1, 0, plan.width), (room.gradient, plan.width)
    clear_rows(work, gradient_at, padded(plan.units))
    if plan.length:
        find_lanes(plan, lanes, k, first)
    else:
        into_rows(work, gradient_at, last, where, plan.units)
        mute_copies(work, gradient_at, where, plan.units)
    end = plan.steps
    while end > 0:
        span = (k, first, max(0, end - CHUNK), end)
        _chunk_back(plan, room, (work, forcing, states), (observed, lanes), by_signals, span)
        _add_chunk(plan, room, work, states, span)
        end = span[2]
    from_rows(by_start, where, work, gradient_at, plan.units)


@compiled
def _chunk_back(plan, room, pointers, given, by_signals, span):
    """Go back through the steps of a chunk and keep the rows of which gradients of weights are products."""
    (work, forcing, states), (observed, lanes), (k, first, begin, end) = pointers, given, span
    width, kept = plan.width, KEPT * plan.width
    base, stride = states_at(plan, k, first)
    for t in range(end - 1, begin - 1, -1):
        u, here, ahead = (t - begin) * width, (base + t * width, stride), (base + (t + 1) * width, stride)
        if plan.length:
            compare(plan, room, work, u, states, ahead, observed, lanes, t)
        else:
            where = (k, first, plan.samples, plan.steps, t, width)
            into_rows(work, (room.by_shown + u, kept), observed, where, plan.seen)
            mute_copies(work, (room.by_shown + u, kept), where, plan.seen)
        observe_back(plan, room, work, u)
        copy_rows(work, (room.by_states + u, kept), work, (room.gradient, width), plan.units)
        if is_forced(plan, t):
            force(plan, work, (room.sources + u, kept), states, here, forcing, (k, first, t))
        else:
            copy_rows(work, (room.sources + u, kept), states, here, plan.units)
        step_back(plan, room, work, u)
        if is_forced(plan, t):
            force_back(plan, work, room.gradient, by_signals, forcing[1], (k, first, t))


@compiled
def _add_chunk(plan, room, work, states, span):
    """Add a chunk's products to the gradients of the coefficients."""
    (base, stride), width, steps = states_at(plan, span[0], span[1]), plan.width, span[3] - span[2]
    units, hidden, seen, kept = padded(plan.units), padded(plan.hidden), padded(plan.seen), KEPT * width
    by_states, sources = (room.by_states, kept), (room.sources, kept)
    add_row_products(work, room.by_diagonal, by_states, sources, (plan.units, steps, width))
    add_sums(work, room.by_bias, by_states, (plan.units, steps, width))
    add_sums(work, room.by_offset, (room.by_shown, kept), (plan.seen, steps, width))
    if plan.outward:
        sizes = (units, hidden, steps, width)
        add_outer(work, (room.by_outward, hidden), by_states, work, (room.active, kept), sizes)
    if plan.inward:
        sizes = (hidden, units, steps, width)
        add_outer(work, (room.by_inward, units), (room.inside, kept), work, sources, sizes)
    if plan.readout:
        sizes, ahead = (seen, units, steps, width), (base + (span[2] + 1) * width, stride)
        add_outer(work, (room.by_readout, units), (room.by_shown, kept), states, ahead, sizes)


@compiled
def pack(plan, room, work, coefficients, k):
    """Copy the coefficients of seed k into the work array."""
    units, hidden, seen = plan.units, plan.hidden, plan.seen
    a, w1, w2, h1, h2, c, d = coefficients
    copy_in(work, room.diagonal, pointer(a), k, (1, units, min(a.size, 1)))
    copy_in(work, room.outward, pointer(w1), k, (units, hidden, plan.outward))
    copy_in(work, room.inward, pointer(w2), k, (hidden, units, plan.inward))
    copy_in(work, room.bias, pointer(h1), k, (1, units, min(h1.size, 1)))
    copy_in(work, room.threshold, pointer(h2), k, (1, hidden, min(h2.size, 1)))
    copy_in(work, room.readout, pointer(c), k, (seen, units, plan.readout))
    copy_in(work, room.offset, pointer(d), k, (1, seen, min(d.size, 1)))


@compiled
def unpack(plan, room, work, gradients, k):
    """Copy the gradients of seed k's coefficients out of the work array."""
    units, hidden, seen = plan.units, plan.hidden, plan.seen
    a, w1, w2, h1, h2, c, d = gradients
    copy_out(pointer(a), work, room.by_diagonal, k, (1, units, min(a.size, 1)))
    copy_out(pointer(w1), work, room.by_outward, k, (units, hidden, plan.outward))
    copy_out(pointer(w2), work, room.by_inward, k, (hidden, units, plan.inward))
    copy_out(pointer(h1), work, room.by_bias, k, (1, units, min(h1.size, 1)))
    copy_out(pointer(h2), work, room.by_threshold, k, (1, hidden, min(h2.size, 1)))
    copy_out(pointer(c), work, room.by_readout, k, (seen, units, plan.readout))
    copy_out(pointer(d), work, room.by_offset, k, (1, seen, min(d.size, 1)))
