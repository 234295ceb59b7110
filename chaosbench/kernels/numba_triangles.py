"""LU decomposition of one small matrix, with row exchanges, as LAPACK does it."""

from chaosbench.kernels.numba_compiled import compiled


@compiled
def decompose(matrix, pivots):
    """Replace a square matrix by its triangular factors, and write which row was exchanged with each."""
    size = len(pivots)
    for k in range(size):
        best = k
        for i in range(k + 1, size):
            if abs(matrix[i, k]) > abs(matrix[best, k]):
                best = i
        pivots[k] = best
        if best != k:
            for j in range(size):
                matrix[k, j], matrix[best, j] = matrix[best, j], matrix[k, j]
        inverse = 1 / matrix[k, k]
        for i in range(k + 1, size):
            if matrix[i, k] != 0:
                factor = matrix[i, k] * inverse
                matrix[i, k] = factor
                for j in range(k + 1, size):
                    matrix[i, j] -= factor * matrix[k, j]


@compiled
def solve(matrix, pivots, right):
    """Replace right-hand sides `(n, M)` by the solutions, given what `decompose` made of a matrix."""
    size, columns = right.shape
    for k in range(size):
        other = pivots[k]
        if other != k:
            for m in range(columns):
                right[k, m], right[other, m] = right[other, m], right[k, m]
    for i in range(size):
        for j in range(i):
            factor = matrix[i, j]
            if factor != 0:
                for m in range(columns):
                    right[i, m] -= factor * right[j, m]
    for i in range(size - 1, -1, -1):
        for j in range(i + 1, size):
            factor = matrix[i, j]
            if factor != 0:
                for m in range(columns):
                    right[i, m] -= factor * right[j, m]
        inverse = 1 / matrix[i, i]
        for m in range(columns):
            right[i, m] *= inverse
