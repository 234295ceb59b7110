"""A step of a `Network` and of its tangent vectors on one CPU core, in double precision.

Units of a state lie side by side, and so do the tangent vectors of a unit, whose step is that of a batch of samples.
"""

from chaosbench.kernels.lanes import broadcast, multiply_add
from chaosbench.kernels.numba_compiled import compiled
from chaosbench.kernels.numba_free_runs import advance
from chaosbench.kernels.numba_products import product_of_four
from chaosbench.kernels.numba_rows import four_rows, store_four


@compiled
def advance_network(plan, room, vectors, work):
    """Replace the state, and its tangents T by A T + W1 diag(phi') W2 T, one vector of columns after the other."""
    advance(plan, room, work, True)
    across = vectors.across
    for v in range(0, across, plan.width):
        rows_at, inner_at = (vectors.rows + v, across), (vectors.inner + v, across)
        for i in range(0, plan.hidden, 4):
            a, b, c, d = four_rows(work, vectors.rows + v + i * across, across)
            if plan.inward:
                a, b, c, d = product_of_four(work, (room.inward + i, 1, room.hidden), work, rows_at, plan.units)
            s = room.slope + i
            a, b = a * broadcast(work, s), b * broadcast(work, s + 1)
            c, d = c * broadcast(work, s + 2), d * broadcast(work, s + 3)
            store_four(work, vectors.inner + v + i * across, across, (a, b, c, d))
        for i in range(0, plan.units, 4):
            a, b, c, d = four_rows(work, vectors.inner + v + i * across, across)
            if plan.outward:
                a, b, c, d = product_of_four(work, (room.outward + i, 1, room.units), work, inner_at, plan.hidden)
            p, q, r, s = four_rows(work, vectors.rows + v + i * across, across)
            f = room.diagonal + i
            a, b = multiply_add(broadcast(work, f), p, a), multiply_add(broadcast(work, f + 1), q, b)
            c, d = multiply_add(broadcast(work, f + 2), r, c), multiply_add(broadcast(work, f + 3), s, d)
            store_four(work, vectors.rows + v + i * across, across, (a, b, c, d))
