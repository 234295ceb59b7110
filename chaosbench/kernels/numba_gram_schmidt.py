"""Orthonormal tangent vectors by the modified Gram-Schmidt method, for vectors that lie side by side."""

from math import log, sqrt
from typing import NamedTuple

from chaosbench.kernels.lanes import broadcast, constant, load, multiply_add, store
from chaosbench.kernels.numba_compiled import compiled, inlined

_LOST = 1e-16  # share of a vector's squared length behind which a second orthonormalisation restores right angles


class Tangents(NamedTuple):
    """The tangent vectors of a state, where they lie in the work array, and what data change of them."""

    size: int  # S, entries of a state
    count: int
    across: int  # [numbers] of a row of vectors, padded
    rows: int
    inner: int  # rows of W2 times the tangents
    products: int  # of one vector with the others
    lengths: int  # squared, of the vectors before they are orthonormalised
    every: int  # [steps] between two orthonormalisations or rescalings
    forced: int  # entries that data change; 0 without forcing
    first: int  # of these
    renewed: int  # whether all tangents start again where those of forced entries are cut


@compiled
def orthonormalise(plan, vectors, work, growth, n):
    """Orthonormalise the tangents and add the logarithms of their lengths; twice where angles would be lost."""
    if _gram_schmidt(plan, vectors, work, growth, n) < _LOST:
        _gram_schmidt(plan, vectors, work, growth, n)


@compiled
def _gram_schmidt(plan, vectors, work, growth, n):
    """Orthonormalise once by the modified method; return the least share of a squared length that is left."""
    across, width, least = vectors.across, plan.width, 1.0
    for v in range(0, across, width):
        store(work, vectors.lengths + v, _squares(vectors, work, v))
    for j in range(vectors.count):
        block = j // width * width
        for v in range(block, across, width):
            store(work, vectors.products + v, _products(vectors, work, j, v))
        square, length = work[vectors.products + j], work[vectors.lengths + j]
        least = min(least, square / length if length > 0 else 1.0)
        growth[n * vectors.count + j] += log(sqrt(square))
        inverse = 1 / square if square != 0 else 0.0
        for i in range(block, j + 1):
            work[vectors.products + i] = 0
        for v in range(block, across, width):
            _subtract(vectors, work, j, (v, inverse))
        factor = sqrt(inverse)
        for i in range(vectors.size):
            work[vectors.rows + i * across + j] *= factor
    return least


@inlined
def _products(vectors, work, j, v):
    """Return the products of vector j with the vectors from v on."""
    across, left, right = vectors.across, vectors.rows + j, vectors.rows + v
    zero = constant(load(work, right), 0.0)
    a, b, c, d = zero, zero, zero, zero
    for _ in range(vectors.size // 4):
        a = multiply_add(broadcast(work, left), load(work, right), a)
        b = multiply_add(broadcast(work, left + across), load(work, right + across), b)
        c = multiply_add(broadcast(work, left + 2 * across), load(work, right + 2 * across), c)
        d = multiply_add(broadcast(work, left + 3 * across), load(work, right + 3 * across), d)
        left += 4 * across
        right += 4 * across
    for _ in range(vectors.size % 4):
        a = multiply_add(broadcast(work, left), load(work, right), a)
        left += across
        right += across
    return (a + b) + (c + d)


@inlined
def _squares(vectors, work, v):
    at = vectors.rows + v
    summed = constant(load(work, at), 0.0)
    for _ in range(vectors.size):
        row = load(work, at)
        summed = multiply_add(row, row, summed)
        at += vectors.across
    return summed


@inlined
def _subtract(vectors, work, j, where):
    """Subtract from the vectors at v their projections on vector j; inverse: of its squared length."""
    (v, inverse), across = where, vectors.across
    shares = load(work, vectors.products + v)
    shares = shares * constant(shares, -inverse)
    left, right = vectors.rows + j, vectors.rows + v
    for _ in range(vectors.size):
        store(work, right, multiply_add(broadcast(work, left), shares, load(work, right)))
        left += across
        right += across
