"""Matrix products and activations on vectors of samples, for the kernels of `numba_cpu`.

A matrix of samples is a flat array of rows, one for each unit, which begin `stride` numbers after one another and hold
vectors of as many samples as fit into 64 bytes. The number of rows of a product is a multiple of four.
"""

from chaosbench.kernels.lanes import (
    broadcast,
    constant,
    load,
    multiply_add,
    store,
    where_not_negative,
    where_positive,
)
from chaosbench.kernels.numba_compiled import compiled, inlined
from chaosbench.kernels.numba_rows import four_rows, store_four
from chaosbench.kernels.numba_tanh import squashed

RELU, TANH, CLIPPED, ALMOST_LINEAR = range(4)
codes = {"relu": RELU, "tanh": TANH, "clipped": CLIPPED, "almost_linear": ALMOST_LINEAR}


@inlined
def product_of_four(matrix, matrix_at, right, right_at, columns):
    """Return four rows of W Y for one vector of samples.

    Args:
        matrix_at: where the first row of W begins, and the steps from row to row and from column to column.
        right_at: where Y begins, and its stride.
    """
    (w, down, across), (y, stride) = matrix_at, right_at
    zero = constant(load(right, y), 0.0)
    a, b, c, d, e, f, g, h = zero, zero, zero, zero, zero, zero, zero, zero
    for _ in range(columns // 2):  # two sums a row: a sum waits for its last term, and the processor has time for both
        even, odd, next_ = load(right, y), load(right, y + stride), w + across
        a = multiply_add(broadcast(matrix, w), even, a)
        b = multiply_add(broadcast(matrix, w + down), even, b)
        c = multiply_add(broadcast(matrix, w + 2 * down), even, c)
        d = multiply_add(broadcast(matrix, w + 3 * down), even, d)
        e = multiply_add(broadcast(matrix, next_), odd, e)
        f = multiply_add(broadcast(matrix, next_ + down), odd, f)
        g = multiply_add(broadcast(matrix, next_ + 2 * down), odd, g)
        h = multiply_add(broadcast(matrix, next_ + 3 * down), odd, h)
        w += 2 * across
        y += 2 * stride
    if columns % 2:
        even = load(right, y)
        a = multiply_add(broadcast(matrix, w), even, a)
        b = multiply_add(broadcast(matrix, w + down), even, b)
        c = multiply_add(broadcast(matrix, w + 2 * down), even, c)
        d = multiply_add(broadcast(matrix, w + 3 * down), even, d)
    return a + e, b + f, c + g, d + h


@compiled
def add_outer(work, out_at, left_at, right, right_at, sizes):
    """Add X Y^T, summed over steps, to a matrix of vectors in the same array as X, in tiles of four by four.

    Args:
        out_at: where the matrix begins, and its columns.
        left_at, right_at: where X and Y begin, and their strides.
        sizes: rows of X and of Y, multiples of four; steps, each one vector of samples; numbers in a vector.
    """
    (o, columns), (x, down), (y, across), (rows, right_rows, steps, width) = out_at, left_at, right_at, sizes
    for i in range(0, rows, 4):
        for j in range(0, right_rows, 4):
            p, q, at, below = x + i * down, y + j * across, o + (i * columns + j) * width, columns * width
            a, b = four_rows(work, at, below), four_rows(work, at + width, below)
            c, d = four_rows(work, at + 2 * width, below), four_rows(work, at + 3 * width, below)
            for _ in range(steps):
                v = load(work, p), load(work, p + down), load(work, p + 2 * down), load(work, p + 3 * down)
                a, b = _added(a, v, load(right, q)), _added(b, v, load(right, q + across))
                c, d = _added(c, v, load(right, q + 2 * across)), _added(d, v, load(right, q + 3 * across))
                p += width
                q += width
            store_four(work, at, below, a)
            store_four(work, at + width, below, b)
            store_four(work, at + 2 * width, below, c)
            store_four(work, at + 3 * width, below, d)


@inlined
def _added(column, left, right):
    (a, b, c, d), (p, q, r, s) = column, left
    return multiply_add(p, right, a), multiply_add(q, right, b), multiply_add(r, right, c), multiply_add(s, right, d)


@compiled
def add_sums(work, out, left_at, sizes):
    """Add the sum of each row over steps to the vectors that begin at `out`.

    Args:
        sizes: rows, steps, numbers in a vector.
    """
    (x, down), (rows, steps, width) = left_at, sizes
    for i in range(rows):
        p, summed = x + i * down, load(work, out + i * width)
        for _ in range(steps):
            summed = summed + load(work, p)
            p += width
        store(work, out + i * width, summed)


@compiled
def add_row_products(work, out, left_at, right, right_at, sizes):
    """Add the sum of x y over steps, row by row, to the vectors that begin at `out`; sizes as for `add_sums`."""
    (x, down), (y, across), (rows, steps, width) = left_at, right_at, sizes
    for i in range(rows):
        p, q, summed = x + i * down, y + i * across, load(work, out + i * width)
        for _ in range(steps):
            summed = multiply_add(load(work, p), load(right, q), summed)
            p += width
            q += width
        store(work, out + i * width, summed)


@inlined
def activated(plan, i, bare, shifted):
    """Return phi of unit i, given its argument without and with the threshold."""
    value = activated_alike(plan, bare, shifted)
    if plan.activation == ALMOST_LINEAR and i >= plan.linear:
        value = where_not_negative(shifted, shifted)
    return value


@inlined
def activated_alike(plan, bare, shifted):
    """Return phi where all units have the same; the argument with the threshold where they do not."""
    value = shifted
    if plan.activation == RELU:
        value = where_positive(shifted, shifted)
    elif plan.activation == TANH:
        value = squashed(shifted)
    elif plan.activation == CLIPPED:
        value = where_positive(shifted, shifted) - where_positive(bare, bare)
    return value


@inlined
def pulled_back(plan, i, arguments, value, upstream):
    """Return the gradients by h2 and by unit i's argument, from that by phi, whose value is given."""
    bare, shifted = arguments
    by_threshold = upstream
    if plan.activation == TANH:
        by_threshold = upstream * (constant(value, 1.0) - value * value)
    elif plan.activation != ALMOST_LINEAR:
        by_threshold = where_positive(shifted, upstream)
    elif i >= plan.linear:
        by_threshold = where_not_negative(shifted, upstream)
    by_argument = by_threshold
    if plan.activation == CLIPPED:
        by_argument = by_threshold - where_positive(bare, upstream)
    return by_threshold, by_argument
