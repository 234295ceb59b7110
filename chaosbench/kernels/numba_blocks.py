"""The unroll of one vector of samples, forwards and backwards."""

from chaosbench.kernels.lanes import at_address
from chaosbench.kernels.numba_compare import compare, find_lanes
from chaosbench.kernels.numba_compiled import compiled
from chaosbench.kernels.numba_plan import CHUNK, KEPT
from chaosbench.kernels.numba_products import CLIPPED, add_outer, add_row_products, add_sums
from chaosbench.kernels.numba_rows import (
    clear_rows,
    copy_in,
    copy_rows,
    copy_sums_out,
    copy_vector_in,
    from_rows,
    into_rows,
    mute_copies,
    padded,
)
from chaosbench.kernels.numba_steps import (
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
    ahead = base, stride
    for t in range(steps):
        moment = t + 1 if plan.moments > 2 else (t + 1) & 1
        here, ahead = ahead, (base + moment * width, stride)
        if is_forced(plan, t):
            clear_rows(work, (room.drawn, width), rows)
            force(plan, work, (room.drawn, width), states, here, forcing, (k, first, t))
            step(plan, room, work, work, (room.drawn, width), states, ahead)
        else:
            step(plan, room, work, states, here, states, ahead)
        if not plan.length:
            observe(plan, room, work, states, ahead, observed, (k, first, samples, steps, t, width))
    if not plan.length:
        from_rows(last, (k, first, samples, 1, 0, width), states, ahead, plan.units)


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
        if plan.forced:
            _keep_source(plan, room, pointers, here, (k, first, t, u))
            step_back(plan, room, work, u, work, (room.sources + u, kept), states, ahead)
        else:
            step_back(plan, room, work, u, states, here, states, ahead)
        if is_forced(plan, t):
            force_back(plan, work, room.gradient, by_signals, forcing[1], (k, first, t))


@compiled
def _keep_source(plan, room, pointers, here, moment):
    """Keep the state from which a step was taken, forced or not."""
    (work, forcing, states), (k, first, t, u) = pointers, moment
    kept = KEPT * plan.width
    if is_forced(plan, t):
        force(plan, work, (room.sources + u, kept), states, here, forcing, (k, first, t))
    else:
        copy_rows(work, (room.sources + u, kept), states, here, plan.units)


@compiled
def _add_chunk(plan, room, work, states, span):
    """Add a chunk's products to the gradients of the coefficients."""
    if plan.forced:
        _add_products(plan, room, work, (work, (room.sources, KEPT * plan.width)), states, span)
    else:
        base, stride = states_at(plan, span[0], span[1])
        _add_products(plan, room, work, (states, (base + span[2] * plan.width, stride)), states, span)


@compiled
def _add_products(plan, room, work, sources, states, span):
    (base, stride), width, steps = states_at(plan, span[0], span[1]), plan.width, span[3] - span[2]
    units, hidden, seen, kept = padded(plan.units), padded(plan.hidden), padded(plan.seen), KEPT * width
    by_states, (source, source_at) = (room.by_states, kept), sources
    add_row_products(work, room.by_diagonal, by_states, source, source_at, (plan.units, steps, width))
    add_sums(work, room.by_bias, by_states, (plan.units, steps, width))
    add_sums(work, room.by_offset, (room.by_shown, kept), (plan.seen, steps, width))
    if plan.activation != CLIPPED:  # otherwise the gradients by h2 and by phi's argument differ
        add_sums(work, room.by_threshold, (room.inside, kept), (plan.hidden, steps, width))
    if plan.outward:
        sizes = (units, hidden, steps, width)
        add_outer(work, (room.by_outward, hidden), by_states, work, (room.active, kept), sizes)
    if plan.inward:
        sizes = (hidden, units, steps, width)
        add_outer(work, (room.by_inward, units), (room.inside, kept), source, source_at, sizes)
    if plan.readout:
        sizes, ahead = (seen, units, steps, width), (base + (span[2] + 1) * width, stride)
        add_outer(work, (room.by_readout, units), (room.by_shown, kept), states, ahead, sizes)


@compiled
def clear_padding(plan, room, work):
    """Set the padding of the rows that are kept to zero: products read it, and garbage may be slow to multiply."""
    kept = KEPT * plan.width
    for row in range(plan.units, padded(plan.units)):
        clear_rows(work, (room.by_states + row * kept, plan.width), KEPT)
        clear_rows(work, (room.sources + row * kept, plan.width), KEPT)
    for row in range(plan.seen, padded(plan.seen)):
        clear_rows(work, (room.by_shown + row * kept, plan.width), KEPT)


@compiled
def clear_sums(plan, room, work):
    """Set the gradients of a seed's coefficients and its error to zero."""
    for at in range(room.by_diagonal, room.gradient, plan.width):
        clear_rows(work, (at, plan.width), 1)
    clear_rows(work, (room.error, plan.width), 1)


@compiled
def pack(plan, room, work, coefficients, k):
    """Copy the coefficients of seed k, given by their addresses, into the work array."""
    units, hidden, seen = plan.units, plan.hidden, plan.seen
    a, w1, w2, h1, h2, c, d = coefficients
    copy_vector_in(work, room.diagonal, a, k, units)
    copy_in(work, room.outward, at_address(w1, work), k, (units, hidden, plan.outward))
    copy_in(work, room.inward, at_address(w2, work), k, (hidden, units, plan.inward))
    copy_vector_in(work, room.bias, h1, k, units)
    copy_vector_in(work, room.threshold, h2, k, hidden)
    copy_in(work, room.readout, at_address(c, work), k, (seen, units, plan.readout))
    copy_vector_in(work, room.offset, d, k, seen)


@compiled
def unpack(plan, room, work, gradients, k):
    """Copy the gradients of seed k's coefficients out of the work array."""
    units, hidden, seen, width = plan.units, plan.hidden, plan.seen, plan.width
    a, w1, w2, h1, h2, c, d = gradients
    copy_sums_out(at_address(a, work), work, room.by_diagonal, k, (1, units, min(a, 1), width))
    copy_sums_out(at_address(w1, work), work, room.by_outward, k, (units, hidden, plan.outward, width))
    copy_sums_out(at_address(w2, work), work, room.by_inward, k, (hidden, units, plan.inward, width))
    copy_sums_out(at_address(h1, work), work, room.by_bias, k, (1, units, min(h1, 1), width))
    copy_sums_out(at_address(h2, work), work, room.by_threshold, k, (1, hidden, min(h2, 1), width))
    copy_sums_out(at_address(c, work), work, room.by_readout, k, (seen, units, plan.readout, width))
    copy_sums_out(at_address(d, work), work, room.by_offset, k, (1, seen, min(d, 1), width))
