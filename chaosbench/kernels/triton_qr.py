"""The QR decomposition of many small matrices as one Triton kernel: one program per matrix, which stays in registers.

`torch.linalg.qr` decomposes a batch matrix by matrix on a GPU. Here each column is made orthogonal to those before it
twice: once leaves an error that grows with the condition number, twice is enough for any matrix of full rank.

Source:
    Giraud, Langou, Rozloznik & van den Eshof 2005, Numerische Mathematik 101, 87.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from chaosbench.kernels.triton_parts import options

LARGEST = 64  # rows and columns; a larger matrix would not stay in registers


def decompose(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Return Q, `(..., S, M)`, and the diagonal of R, `(..., M)`, which is not negative.

    A column that depends on those before it has a zero in R, and any orthonormal column in Q. NaN stays in its matrix.

    Args:
        matrices: `(..., S, M)`, S >= M, float32 or float64, at most `LARGEST` rows.
    """
    rows, columns = matrices.shape[-2:]
    given = matrices.contiguous()
    orthonormal, diagonal = torch.empty_like(given), given.new_empty((*given.shape[:-2], columns))
    padded = triton.next_power_of_2(rows), triton.next_power_of_2(columns)
    sizes = {"rows": rows, "columns": columns, "R": padded[0], "C": padded[1]}
    warps = 1 if padded[0] * padded[1] <= 512 else 4
    _decompose[(diagonal.numel() // columns,)](given, orthonormal, diagonal, **sizes, **options(warps))
    return orthonormal, diagonal


@triton.jit
def _decompose(
    given, orthonormal, diagonal, rows: tl.constexpr, columns: tl.constexpr, R: tl.constexpr, C: tl.constexpr
):
    matrix = tl.program_id(0).to(tl.int64)
    i, j = tl.arange(0, R), tl.arange(0, C)
    at = matrix * rows * columns + i[:, None] * columns + j[None, :]
    inside = (i < rows)[:, None] & (j < columns)[None, :]
    a = tl.load(given + at, mask=inside, other=0.0)
    q, lengths = tl.zeros_like(a), tl.zeros((C,), a.dtype)
    for column in range(columns):
        here = (j == column)[None, :]
        v = tl.sum(tl.where(here, a, 0.0), 1)
        v, length = _orthogonal(q, v)
        lengths = tl.where(j == column, length, lengths)
        if length == 0:  # a direction of its own, so that the columns behind stay orthonormal
            v, length = _orthogonal(q, tl.where(i < rows, tl.cos(1.0 + i * (1.0 + column)).to(a.dtype), 0.0))
        q = tl.where(here, (v / length)[:, None], q)
    tl.store(orthonormal + at, q, mask=inside)
    tl.store(diagonal + matrix * columns + j, lengths, mask=j < columns)


@triton.jit
def _orthogonal(q, v):
    """Return the part of a vector that is orthogonal to the columns of q, and its length, which does not underflow."""
    for _ in range(2):
        v -= tl.sum(q * tl.sum(q * v[:, None], 0)[None, :], 1)
    largest = tl.max(tl.abs(v), 0)
    scaled = v / tl.where(largest > 0, largest, 1.0)
    return v, largest * tl.sqrt(tl.sum(scaled * scaled, 0))
