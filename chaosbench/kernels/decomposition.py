"""The QR decomposition of many small matrices, as tangent dynamics needs it."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

_LARGEST = 64  # rows of a matrix that the kernel for CUDA can hold


def orthonormal_columns(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Return Q of a QR decomposition, `(..., S, M)`, and the sizes of R's diagonal entries, `(..., M)`.

    On a GPU torch decomposes matrix by matrix, so small ones are decomposed by a kernel of our own if there is triton.

    Args:
        matrices: `(..., S, M)`, S >= M.
    """
    small = matrices.shape[-2] <= _LARGEST and matrices.dtype in (torch.float32, torch.float64)
    if matrices.is_cuda and small and (kernel := _triton()) is not None:
        orthonormal, diagonal = kernel.decompose(matrices)
        return orthonormal, diagonal
    orthonormal, triangle = torch.linalg.qr(matrices)
    return orthonormal, triangle.diagonal(dim1=-2, dim2=-1).abs()


@cache
def _triton() -> Any | None:
    """Import the kernel at its first use; None without triton."""
    return None if find_spec("triton") is None else import_module("chaosbench.kernels.triton_qr")
