"""Matrix products and activations on vectors of samples, for the kernels of `numba_cpu`.

A matrix of samples is a flat array of rows, one for each unit, which begin `stride` numbers after one another and hold
vectors of as many samples as fit into 64 bytes. The number of rows of a product is a multiple of four.
"""

from fractions import Fraction

from numba import njit
from numba.extending import overload

from chaosbench.kernels.lanes import (
    broadcast,
    constant,
    library_tanh,
    limited,
    load,
    multiply_add,
    store,
    where_not_negative,
    where_positive,
)

RELU, TANH, CLIPPED, ALMOST_LINEAR = range(4)
codes = {"relu": RELU, "tanh": TANH, "clipped": CLIPPED, "almost_linear": ALMOST_LINEAR}
compiled = njit(error_model="numpy", nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
inlined = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


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
            a0, b0, c0, d0 = _column_of_four(work, at, below)
            a1, b1, c1, d1 = _column_of_four(work, at + width, below)
            a2, b2, c2, d2 = _column_of_four(work, at + 2 * width, below)
            a3, b3, c3, d3 = _column_of_four(work, at + 3 * width, below)
            for _ in range(steps):
                y0, y1, y2, y3 = _column_of_four(right, q, across)
                v = load(work, p)
                a0, a1, a2, a3 = _added_row(v, (y0, y1, y2, y3), (a0, a1, a2, a3))
                v = load(work, p + down)
                b0, b1, b2, b3 = _added_row(v, (y0, y1, y2, y3), (b0, b1, b2, b3))
                v = load(work, p + 2 * down)
                c0, c1, c2, c3 = _added_row(v, (y0, y1, y2, y3), (c0, c1, c2, c3))
                v = load(work, p + 3 * down)
                d0, d1, d2, d3 = _added_row(v, (y0, y1, y2, y3), (d0, d1, d2, d3))
                p += width
                q += width
            _store_column(work, at, below, (a0, b0, c0, d0))
            _store_column(work, at + width, below, (a1, b1, c1, d1))
            _store_column(work, at + 2 * width, below, (a2, b2, c2, d2))
            _store_column(work, at + 3 * width, below, (a3, b3, c3, d3))


@inlined
def _added_row(x, right, sums):
    (a, b, c, d), (e, f, g, h) = right, sums
    return multiply_add(x, a, e), multiply_add(x, b, f), multiply_add(x, c, g), multiply_add(x, d, h)


@inlined
def _column_of_four(work, at, below):
    return load(work, at), load(work, at + below), load(work, at + 2 * below), load(work, at + 3 * below)


@inlined
def _store_column(work, at, below, four):
    a, b, c, d = four
    store(work, at, a)
    store(work, at + below, b)
    store(work, at + 2 * below, c)
    store(work, at + 3 * below, d)


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
    value = shifted
    if plan.activation == RELU:
        value = where_positive(shifted, shifted)
    elif plan.activation == TANH:
        value = squashed(shifted)
    elif plan.activation == CLIPPED:
        value = where_positive(shifted, shifted) - where_positive(bare, bare)
    elif i >= plan.linear:
        value = where_not_negative(shifted, shifted)
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


def _lambert(terms: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Coefficients of tanh(x) / x = p(x²) / q(x²), highest first: Lambert's continued fraction of that many terms."""
    upper, lower = [Fraction(1)], [Fraction(2 * terms - 1)]
    for odd in range(2 * terms - 3, 0, -2):
        raised = [Fraction(0), *upper]
        size = max(len(raised), len(lower))
        raised, padded = ([*row, *[Fraction(0)] * (size - len(row))] for row in (raised, lower))
        upper, lower = lower, [odd * b + a for a, b in zip(raised, padded, strict=True)]
    scale = lower[0]
    return tuple(float(c / scale) for c in reversed(upper)), tuple(float(c / scale) for c in reversed(lower))


_UPPER, _LOWER = _lambert(13)


def squashed(x):
    """Return tanh(x): to 4e-7 in single precision, by the C library in double."""


@overload(squashed)
def _squashed(x):
    return library_tanh_of if x.dtype.bitwidth == 64 else rational_tanh


def library_tanh_of(x):
    """Return tanh(x) in double precision."""
    return library_tanh(x)


def rational_tanh(x):
    """Return tanh(x) by Lambert's continued fraction, which is a rational function of x² with positive terms."""
    x = limited(x, constant(x, 9.02))  # beyond, tanh is 1 in single precision
    square = x * x
    upper, lower = constant(x, _UPPER[0]), constant(x, _LOWER[0])
    upper = multiply_add(upper, square, constant(x, _UPPER[1]))
    upper = multiply_add(upper, square, constant(x, _UPPER[2]))
    upper = multiply_add(upper, square, constant(x, _UPPER[3]))
    upper = multiply_add(upper, square, constant(x, _UPPER[4]))
    upper = multiply_add(upper, square, constant(x, _UPPER[5]))
    upper = multiply_add(upper, square, constant(x, _UPPER[6]))
    lower = multiply_add(lower, square, constant(x, _LOWER[1]))
    lower = multiply_add(lower, square, constant(x, _LOWER[2]))
    lower = multiply_add(lower, square, constant(x, _LOWER[3]))
    lower = multiply_add(lower, square, constant(x, _LOWER[4]))
    lower = multiply_add(lower, square, constant(x, _LOWER[5]))
    lower = multiply_add(lower, square, constant(x, _LOWER[6]))
    return x * upper / lower
