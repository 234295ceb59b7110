"""Extreme singular values of many small matrices."""

import torch
from torch import Tensor

_SQUARINGS = 50  # the largest eigenvalue to the power 2^50 leaves nothing of the others in double precision


def spectral_norm(matrices: Tensor) -> Tensor:
    """Return the largest singular value of each matrix, `(..., m, n) -> (...)`; NaN where a matrix is not finite."""
    gram = matrices.mH @ matrices
    finite = gram.isfinite().all(dim=-1).all(dim=-1)
    # LAPACK rejects a whole batch if a single matrix contains NaN.
    safe = torch.where(finite[..., None, None], gram, 0.0)
    # On a GPU the decomposition runs matrix by matrix, or waits for the host.
    largest = largest_eigenvalue(safe) if safe.is_cuda else torch.linalg.eigvalsh(safe)[..., -1]
    return torch.where(finite, largest.clamp(min=0).sqrt(), torch.nan)


def extreme_singular_values(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Return the largest and the smallest singular value of square matrices, `(..., n, n)`, all finite; `(...)` each.

    On a GPU, where torch decomposes matrix by matrix, they are the norm of the matrix and the reciprocal norm of its
    inverse. The error is the same: rounding of the largest.
    """
    if not matrices.is_cuda:
        values = torch.linalg.svdvals(matrices)
        return values[..., 0], values[..., -1]
    return spectral_norm(matrices), smallest_singular_value(matrices)


def smallest_singular_value(matrices: Tensor) -> Tensor:
    """Return the reciprocal norm of the inverse of square matrices, `(..., n, n) -> (...)`; 0 without an inverse."""
    inverse, failed = torch.linalg.inv_ex(matrices)
    size = inverse.abs().amax((-2, -1))
    usable = (failed == 0) & size.isfinite() & (size > 0)
    scaled = torch.where(usable[..., None, None], inverse / size[..., None, None], 0.0)  # its square might overflow
    return torch.where(usable, 1 / (size * spectral_norm(scaled)), 0.0)


def largest_eigenvalue(gram: Tensor) -> Tensor:
    """Return the largest eigenvalue of positive semi-definite matrices, `(..., n, n) -> (...)`, by products alone.

    Squaring a matrix k times leaves a trace that is the 2^k-th power of the eigenvalue, times at most n, whose 2^k-th
    root is 1 to rounding. Errors of rounding are divided by the power of the squaring in which they arise.
    """
    scale = gram.new_zeros(gram.shape[:-2], dtype=torch.float64)
    trace = gram.diagonal(dim1=-2, dim2=-1).sum(-1)
    for squaring in range(_SQUARINGS):
        size = torch.where(trace > 0, trace, 1.0)
        scale = scale + size.double().log() * 0.5**squaring
        gram = gram / size[..., None, None]
        gram = gram @ gram
        trace = gram.diagonal(dim1=-2, dim2=-1).sum(-1)
    return (scale + trace.double().log() * 0.5**_SQUARINGS).exp().to(gram.dtype)
