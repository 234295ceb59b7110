"""Orthonormal tangent vectors by the modified Gram-Schmidt method, for vectors that lie side by side.

As many vectors as fit into 64 bytes are a panel. Vectors of a panel are orthogonalised one after another. All vectors
behind it are then projected at once, so that they travel to memory and back once for each panel.
"""

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
    lengths: int  # squared, of the vectors before they are orthonormalised
    inverses: int  # of their squared lengths when they are orthogonal
    factors: int  # which give them the length 1
    products: int  # of one vector with those of its panel
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
    for panel in range(0, across, width):
        store(work, vectors.lengths + panel, _squares(vectors, work, panel))
        for j in range(panel, panel + width):
            work[vectors.factors + j] = 0
    for panel in range(0, across, width):
        for j in range(panel, min(panel + width, vectors.count)):
            store(work, vectors.products, _products(vectors, work, j, panel))
            square, length = work[vectors.products + j - panel], work[vectors.lengths + j]
            least = min(least, square / length if length > 0 else 1.0)
            growth[n * vectors.count + j] += log(sqrt(square))
            inverse = 1 / square if square != 0 else 0.0
            work[vectors.inverses + j], work[vectors.factors + j] = inverse, sqrt(inverse)
            for i in range(j - panel + 1):
                work[vectors.products + i] = 0
            _subtract(vectors, work, j, (panel, inverse))
        for v in range(panel + width, across, width):
            _project(vectors, work, panel, v)
    for panel in range(0, across, width):  # at the end: a vector of which a part is being stored is slow to load
        factors = load(work, vectors.factors + panel)
        for at in range(vectors.rows + panel, vectors.rows + vectors.size * across, across):
            store(work, at, load(work, at) * factors)
    return least


@inlined
def _products(vectors, work, j, v):
    """Return the products of vector j with the panel at v."""
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
    """Subtract from the panel at v the projections on its vector j; inverse: of its squared length."""
    (v, inverse), across = where, vectors.across
    shares = load(work, vectors.products)
    shares = shares * constant(shares, -inverse)
    left, right = vectors.rows + j, vectors.rows + v
    for _ in range(vectors.size):
        store(work, right, multiply_add(broadcast(work, left), shares, load(work, right)))
        left += across
        right += across


@compiled
def _project(vectors, work, panel, v):
    """Subtract from the vectors at v their projections on the eight vectors of a panel."""
    across, left, right = vectors.across, vectors.rows + panel, vectors.rows + v
    zero = constant(load(work, right), 0.0)
    a, b, c, d, e, f, g, h = zero, zero, zero, zero, zero, zero, zero, zero
    for _ in range(vectors.size):
        row = load(work, right)
        a, b = multiply_add(broadcast(work, left), row, a), multiply_add(broadcast(work, left + 1), row, b)
        c, d = multiply_add(broadcast(work, left + 2), row, c), multiply_add(broadcast(work, left + 3), row, d)
        e, f = multiply_add(broadcast(work, left + 4), row, e), multiply_add(broadcast(work, left + 5), row, f)
        g, h = multiply_add(broadcast(work, left + 6), row, g), multiply_add(broadcast(work, left + 7), row, h)
        left += across
        right += across
    i = vectors.inverses + panel
    a, b = a * broadcast(work, i), b * broadcast(work, i + 1)
    c, d = c * broadcast(work, i + 2), d * broadcast(work, i + 3)
    e, f = e * broadcast(work, i + 4), f * broadcast(work, i + 5)
    g, h = g * broadcast(work, i + 6), h * broadcast(work, i + 7)
    left, right = vectors.rows + panel, vectors.rows + v
    for _ in range(vectors.size):
        p = multiply_add(broadcast(work, left + 1), b, broadcast(work, left) * a)
        q = multiply_add(broadcast(work, left + 3), d, broadcast(work, left + 2) * c)
        r = multiply_add(broadcast(work, left + 5), f, broadcast(work, left + 4) * e)
        s = multiply_add(broadcast(work, left + 7), h, broadcast(work, left + 6) * g)
        store(work, right, load(work, right) - ((p + q) + (r + s)))
        left += across
        right += across
