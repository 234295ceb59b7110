"""One step of a vector of samples, forwards and backwards: forcing, the map, and what is observed."""

from chaosbench.kernels.lanes import broadcast, load, multiply_add, store
from chaosbench.kernels.numba_compiled import compiled, inlined
from chaosbench.kernels.numba_four import pull_unit_back, step_back_of_four, step_of_four
from chaosbench.kernels.numba_plan import KEPT
from chaosbench.kernels.numba_products import TANH, activated, product_of_four
from chaosbench.kernels.numba_rows import clear_rows, copy_rows, four_rows, from_rows, into_rows, padded, store_four


@compiled
def states_at(plan, k, first):
    """Return where the states of the vector of samples that starts at `first` begin, and their stride."""
    stride, blocks = plan.moments * plan.width, (plan.samples + plan.width - 1) // plan.width
    if plan.length or plan.moments == 2:  # vectors of samples do not need their states later, and share the memory
        return 0, stride
    return (k * blocks + first // plan.width) * padded(plan.units) * stride, stride


@compiled
def is_forced(plan, t):
    """Return whether data change the state from which step t is taken."""
    return plan.forced > 0 and t > 0 and (plan.interval == 0 or t % plan.interval == 0)


@compiled
def force(plan, work, out_at, states, states_at, forcing, moment):
    """Write the forced state; moment: seed, first sample, step."""
    (signals, weights), (k, first, t) = forcing, moment
    samples, steps, width = plan.samples, plan.steps, plan.width
    copy_rows(work, out_at, states, states_at, plan.units)
    if plan.interval:
        where = (k, first, samples, (steps - 1) // plan.interval, t // plan.interval - 1, width)
        into_rows(work, out_at, signals, where, plan.forced)
        return
    o, stride = out_at
    for lane in range(width):
        sample = (k * samples + min(first + lane, samples - 1)) * (steps - 1) + t - 1
        w = weights[sample]
        for i in range(plan.forced):
            at, x = o + i * stride + lane, signals[sample * plan.forced + i]
            z = work[at]
            work[at] = z + w * (x - z) if w < 0.5 else x - (x - z) * (1 - w)  # torch.lerp's two forms


@compiled
def force_back(plan, work, gradient, by_signals, weights, moment):
    """Split the gradient by a forced state, rows one vector apart, into those by the state before and by the signal."""
    k, first, t = moment
    samples, steps, width = plan.samples, plan.steps, plan.width
    if plan.interval:
        where = (k, first, samples, (steps - 1) // plan.interval, t // plan.interval - 1, width)
        from_rows(by_signals, where, work, (gradient, width), plan.forced)
        clear_rows(work, (gradient, width), plan.forced)
        return
    for lane in range(min(width, samples - first)):
        sample = (k * samples + first + lane) * (steps - 1) + t - 1
        w = weights[sample]
        for i in range(plan.forced):
            at = gradient + i * width + lane
            by_signals[sample * plan.forced + i] = w * work[at]
            work[at] *= 1 - w


@compiled
def step(plan, room, work, state, state_at, following, following_at):
    """Write A z + W1 phi(W2 z + h2) + h1."""
    if plan.few:
        step_of_four(plan, room, work, state, state_at, following, following_at)
        return
    width, active_at = plan.width, (room.active, plan.width)
    for i in range(0, plan.hidden, 4):
        a, b, c, d = _arguments(plan, room, work, state, state_at, i)
        a = activated(plan, i, a, a + broadcast(work, room.threshold + i))
        b = activated(plan, i + 1, b, b + broadcast(work, room.threshold + i + 1))
        c = activated(plan, i + 2, c, c + broadcast(work, room.threshold + i + 2))
        d = activated(plan, i + 3, d, d + broadcast(work, room.threshold + i + 3))
        store_four(work, room.active + i * width, width, (a, b, c, d))
    (z, stride), (f, following_stride) = state_at, following_at
    for i in range(0, plan.units, 4):
        a, b, c, d = four_rows(work, room.active + i * width, width)
        if plan.outward:
            matrix_at = (room.outward + i * padded(plan.hidden), padded(plan.hidden), 1)
            a, b, c, d = product_of_four(work, matrix_at, work, active_at, plan.hidden)
        _store_following(room, work, i, a, (state, z + i * stride), (following, f + i * following_stride))
        n = i + 1
        _store_following(room, work, n, b, (state, z + n * stride), (following, f + n * following_stride))
        n = i + 2
        _store_following(room, work, n, c, (state, z + n * stride), (following, f + n * following_stride))
        n = i + 3
        _store_following(room, work, n, d, (state, z + n * stride), (following, f + n * following_stride))


@inlined
def _store_following(room, work, i, driven, source, target):
    (state, z), (following, at) = source, target
    a, h = broadcast(work, room.diagonal + i), broadcast(work, room.bias + i)
    store(following, at, multiply_add(a, load(state, z), driven + h))


@inlined
def _arguments(plan, room, work, state, state_at, i):
    """Return four rows of W2 z."""
    z, stride = state_at
    if plan.inward:
        matrix_at = (room.inward + i * padded(plan.units), padded(plan.units), 1)
        return product_of_four(work, matrix_at, state, state_at, plan.units)
    return four_rows(state, z + i * stride, stride)


@compiled
def observe(plan, room, work, state, state_at, observed, where):
    """Write C z + d, or the first units, to `(K, B, T, D)`; where: as for `into_rows`."""
    show(plan, room, work, state, state_at)
    from_rows(observed, where, work, (room.shown, plan.width), plan.seen)


@compiled
def show(plan, room, work, state, state_at):
    """Write C z + d, or the first units, to the rows for what is observed."""
    width, (z, stride) = plan.width, state_at
    for i in range(0, plan.seen, 4):
        a, b, c, d = four_rows(state, z + i * stride, stride)
        if plan.readout:
            matrix_at = (room.readout + i * padded(plan.units), padded(plan.units), 1)
            a, b, c, d = product_of_four(work, matrix_at, state, state_at, plan.units)
        a, b = a + broadcast(work, room.offset + i), b + broadcast(work, room.offset + i + 1)
        c, d = c + broadcast(work, room.offset + i + 2), d + broadcast(work, room.offset + i + 3)
        store_four(work, room.shown + i * width, width, (a, b, c, d))


@compiled
def step_back(plan, room, work, u, source, source_at, following, following_at):
    """Turn the gradient by z' into that by z, in place.

    Args:
        u: the step, in numbers into the rows that are kept.
        source, following: z and z'.
    """
    if plan.few:
        step_back_of_four(plan, room, work, u, source, source_at)
        return
    width, stride, hidden, (f, down) = plan.width, KEPT * plan.width, padded(plan.hidden), following_at
    gradient_at, inside_at = (room.gradient, width), (room.inside + u, stride)
    reached = plan.direct and plan.activation == TANH  # z' is tanh, whose slope is 1 - z'²
    for i in range(0, plan.hidden, 4):
        e, f_, g, h = four_rows(work, room.gradient + i * width, width)
        if plan.outward:
            e, f_, g, h = product_of_four(work, (room.outward + i, 1, hidden), work, gradient_at, plan.units)
        if reached:
            a, b, c, d = four_rows(following, f + i * down, down)
        else:
            a, b, c, d = _arguments(plan, room, work, source, source_at, i)
        pull_unit_back(plan, room, work, (i, u, reached), a, e)
        pull_unit_back(plan, room, work, (i + 1, u, reached), b, f_)
        pull_unit_back(plan, room, work, (i + 2, u, reached), c, g)
        pull_unit_back(plan, room, work, (i + 3, u, reached), d, h)
    for i in range(0, plan.units, 4):
        a, b, c, d = four_rows(work, room.inside + u + i * stride, stride)
        if plan.inward:
            matrix_at = (room.inward + i, 1, padded(plan.units))
            a, b, c, d = product_of_four(work, matrix_at, work, inside_at, plan.hidden)
        at = room.gradient + i * width
        store(work, at, multiply_add(broadcast(work, room.diagonal + i), load(work, at), a))
        at += width
        store(work, at, multiply_add(broadcast(work, room.diagonal + i + 1), load(work, at), b))
        at += width
        store(work, at, multiply_add(broadcast(work, room.diagonal + i + 2), load(work, at), c))
        at += width
        store(work, at, multiply_add(broadcast(work, room.diagonal + i + 3), load(work, at), d))


@compiled
def observe_back(plan, room, work, u):
    """Add the gradient by what is observed to that by the state."""
    width, stride = plan.width, KEPT * plan.width
    if not plan.readout:
        for i in range(plan.seen):
            at = room.gradient + i * width
            store(work, at, load(work, at) + load(work, room.by_shown + u + i * stride))
        return
    for i in range(0, plan.units, 4):
        matrix_at = (room.readout + i, 1, padded(plan.units))
        a, b, c, d = product_of_four(work, matrix_at, work, (room.by_shown + u, stride), plan.seen)
        at = room.gradient + i * width
        p, q, r, s = four_rows(work, at, width)
        store_four(work, at, width, (p + a, q + b, r + c, s + d))
