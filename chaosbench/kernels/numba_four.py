"""Steps of networks with W1, W2 and at most four units, whose states and gradients stay in registers."""

from chaosbench.kernels.lanes import broadcast, load, multiply_add, store
from chaosbench.kernels.numba_compiled import compiled, inlined
from chaosbench.kernels.numba_plan import KEPT
from chaosbench.kernels.numba_products import CLIPPED, activated, pulled_back
from chaosbench.kernels.numba_rows import four_rows, padded, store_four


@compiled
def step_of_four(plan, room, work, state, state_at, following, following_at):
    """Write A z + W1 phi(W2 z + h2) + h1."""
    z, (f, down), hidden = four_rows(state, *state_at), following_at, padded(plan.hidden)
    a, b, c, d = _scaled(work, room.diagonal, z)
    a, b = a + broadcast(work, room.bias), b + broadcast(work, room.bias + 1)
    c, d = c + broadcast(work, room.bias + 2), d + broadcast(work, room.bias + 3)
    for i in range(plan.hidden):
        bare, at = _weighted(work, room.inward + 4 * i, 1, z), room.outward + i
        active = activated(plan, i, bare, bare + broadcast(work, room.threshold + i))
        a = multiply_add(broadcast(work, at), active, a)
        b = multiply_add(broadcast(work, at + hidden), active, b)
        c = multiply_add(broadcast(work, at + 2 * hidden), active, c)
        d = multiply_add(broadcast(work, at + 3 * hidden), active, d)
    store_four(following, f, down, (a, b, c, d))


@compiled
def step_back_of_four(plan, room, work, u, source, source_at):
    """Turn the gradient by z' into that by z, in place; arguments as for `step_back`."""
    z, hidden = four_rows(source, *source_at), padded(plan.hidden)
    gradient = four_rows(work, room.gradient, plan.width)
    a, b, c, d = _scaled(work, room.diagonal, gradient)
    for i in range(plan.hidden):
        bare, upstream = _weighted(work, room.inward + 4 * i, 1, z), _weighted(work, room.outward + i, hidden, gradient)
        inside, at = pull_unit_back(plan, room, work, (i, u, False), bare, upstream), room.inward + 4 * i
        a = multiply_add(broadcast(work, at), inside, a)
        b = multiply_add(broadcast(work, at + 1), inside, b)
        c = multiply_add(broadcast(work, at + 2), inside, c)
        d = multiply_add(broadcast(work, at + 3), inside, d)
    store_four(work, room.gradient, plan.width, (a, b, c, d))


@inlined
def pull_unit_back(plan, room, work, where, bare, upstream):
    """Keep phi and the gradient by its argument, and return the latter.

    Args:
        where: the unit; the step, in numbers into the rows that are kept; whether z' is given in place of the argument.
        bare: the argument without threshold.
        upstream: the gradient by phi.
    """
    (i, u, reached), width, stride = where, plan.width, KEPT * plan.width
    shifted = bare + broadcast(work, room.threshold + i)
    value = bare if reached else activated(plan, i, bare, shifted)
    by_threshold, by_argument = pulled_back(plan, i, (bare, shifted), value, upstream)
    if plan.outward:
        store(work, room.active + u + i * stride, value)
    store(work, room.inside + u + i * stride, by_argument)
    if plan.activation == CLIPPED:
        sum_at = room.by_threshold + i * width
        store(work, sum_at, load(work, sum_at) + by_threshold)
    return by_argument


@inlined
def _scaled(work, at, rows):
    a, b, c, d = rows
    a, b = broadcast(work, at) * a, broadcast(work, at + 1) * b
    return a, b, broadcast(work, at + 2) * c, broadcast(work, at + 3) * d


@inlined
def _weighted(work, at, across, rows):
    """Return the sum of four rows with weights `across` numbers apart, in two chains that the processor overlaps."""
    a, b, c, d = rows
    left = multiply_add(broadcast(work, at), a, broadcast(work, at + across) * b)
    return left + multiply_add(broadcast(work, at + 2 * across), c, broadcast(work, at + 3 * across) * d)
