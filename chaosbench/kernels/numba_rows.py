"""Copies between tensors as they come and rows of samples as the kernels of `numba_cpu` keep them."""

from chaosbench.kernels.lanes import at_address, constant, load, store, total
from chaosbench.kernels.numba_compiled import compiled, inlined


@compiled
def padded(rows):
    """Round up to a multiple of four, as products need it."""
    return (rows + 3) // 4 * 4


@compiled
def copy_in(work, at, matrices, k, sizes):
    """Copy seed k's matrix into the work array, both sizes padded with zeros; zeros alone where there is none.

    Args:
        sizes: rows, columns, and the layout: 0 where there is no matrix, 1 row by row, 2 column by column.
    """
    rows, columns, layout = sizes
    stride = padded(columns)
    for i in range(padded(rows) * stride):  # those of a single row, too: steps take four rows at once
        work[at + i] = 0
    if layout:
        _copy_matrix(work, at, matrices, k, sizes)


@compiled
def copy_vector_in(work, at, vectors, k, size):
    """Copy seed k's vector, padded with zeros; zeros alone where there is none and the address is 0."""
    for i in range(padded(size)):
        work[at + i] = 0
    if vectors:
        _copy_matrix(work, at, at_address(vectors, work), k, (1, size, 1))


@compiled
def _copy_matrix(work, at, matrices, k, sizes):
    rows, columns, layout = sizes
    begin, (down, across) = k * rows * columns, (columns, 1) if layout == 1 else (1, rows)
    for i in range(rows):
        for j in range(columns):
            work[at + i * padded(columns) + j] = matrices[begin + i * down + j * across]


@compiled
def copy_sums_out(matrices, work, at, k, sizes):
    """Copy the sums over samples of a matrix of vectors into seed k's matrix; sizes as for `copy_in`, and the width."""
    rows, columns, layout, width = sizes
    stride = padded(columns)
    if layout:
        begin, (down, across) = k * rows * columns, (columns, 1) if layout == 1 else (1, rows)
        for i in range(rows):
            for j in range(columns):
                matrices[begin + i * down + j * across] = total(load(work, at + (i * stride + j) * width))


@compiled
def into_rows(rows, rows_at, values, where, count):
    """Copy a vector of samples from `(K, B, n, count)` into `count` rows; past the last sample the last is repeated.

    Args:
        where: seed, first sample, B, n, moment, and numbers in a vector.
    """
    (r, stride), (k, first, samples, times, moment, width) = rows_at, where
    for lane in range(width):
        at = ((k * samples + min(first + lane, samples - 1)) * times + moment) * count
        for i in range(count):
            rows[r + i * stride + lane] = values[at + i]


@compiled
def from_rows(values, where, rows, rows_at, count):
    """Copy rows back; arguments as for `into_rows`."""
    (r, stride), (k, first, samples, times, moment, width) = rows_at, where
    for lane in range(min(width, samples - first)):
        at = ((k * samples + first + lane) * times + moment) * count
        for i in range(count):
            values[at + i] = rows[r + i * stride + lane]


@compiled
def mute_copies(rows, rows_at, where, count):
    """Set to zero what belongs to samples past the last; arguments as for `into_rows`."""
    (r, stride), (_, first, samples, _, _, width) = rows_at, where
    for lane in range(samples - first, width):
        for i in range(count):
            rows[r + i * stride + lane] = 0


@compiled
def copy_rows(out, out_at, rows, rows_at, count):
    """Copy `count` vectors."""
    (o, out_stride), (r, stride) = out_at, rows_at
    for i in range(count):
        store(out, o + i * out_stride, load(rows, r + i * stride))


@compiled
def clear_rows(rows, rows_at, count):
    """Set `count` vectors to zero."""
    r, stride = rows_at
    for i in range(count):
        at = r + i * stride
        store(rows, at, constant(load(rows, at), 0.0))


@inlined
def four_rows(rows, at, stride):
    """Return the vectors at `at` and at three further rows."""
    return load(rows, at), load(rows, at + stride), load(rows, at + 2 * stride), load(rows, at + 3 * stride)


@inlined
def store_four(rows, at, stride, four):
    """Write four vectors to `at` and to three further rows."""
    a, b, c, d = four
    store(rows, at, a)
    store(rows, at + stride, b)
    store(rows, at + 2 * stride, c)
    store(rows, at + 3 * stride, d)
