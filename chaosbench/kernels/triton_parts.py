"""Pieces that the Triton kernels share: padded loads, products and activations, and sums over blocks."""

from collections.abc import Sequence
from itertools import accumulate

import torch
import triton
import triton.language as tl
from torch import Tensor


class BlockSums:
    """Gradients by coefficients that each block of samples writes, summed in an order that does not change.

    They lie in one array, `(blocks, stride)`, so that a single sum serves all coefficients.
    """

    def __init__(self, coefficients: Sequence[Tensor | None], blocks: int) -> None:
        self._like = coefficients
        sizes = [0 if one is None else -(-one.numel() // 4) * 4 for one in coefficients]  # aligned to 16 bytes
        *self._begins, self.stride = accumulate(sizes, initial=0)
        present = next(one for one in coefficients if one is not None)
        self._parts = present.new_empty(blocks, self.stride)

    def pointers(self) -> list[Tensor]:
        """The address of each gradient from the first block; any address where there is no coefficient."""
        flat = self._parts.view(-1)
        return [flat if one is None else flat[at:] for one, at in zip(self._like, self._begins, strict=True)]

    def total(self) -> tuple[Tensor | None, ...]:
        """Return the sums over blocks, shaped as the coefficients; None for those that are None."""
        summed = torch.sum(self._parts, dim=0)
        pairs = zip(self._like, self._begins, strict=True)
        return tuple(None if one is None else summed[at : at + one.numel()].view(one.shape) for one, at in pairs)


def power_of_two(size: int) -> int:
    """Return the size to which `tl.dot` needs an axis padded."""
    return max(16, triton.next_power_of_2(size))


@triton.jit
def dot(left, right):
    """Return a product in full precision: TF32 would spoil gradients."""
    return tl.dot(left, right, input_precision="ieee", out_dtype=left.dtype)


@triton.jit
def vector(data, k, size: tl.constexpr, rows, present: tl.constexpr, like):
    """Column of a seed's numbers; zeros where there are none."""
    if present:
        return tl.load(data + k * size + rows, mask=rows < size, other=0.0)[:, None]
    else:
        return tl.zeros_like(like)


@triton.jit
def matrix(data, k, height: tl.constexpr, width: tl.constexpr, rows, columns, present: tl.constexpr, dtype):
    """Matrix of a seed; zeros where there is none."""
    if present:
        inside = (rows < height)[:, None] & (columns < width)[None, :]
        return tl.load(data + k * height * width + rows[:, None] * width + columns[None, :], mask=inside, other=0.0)
    else:
        return tl.zeros((rows.shape[0], columns.shape[0]), dtype)


@triton.jit
def tanh(x):
    """Return tanh(x), which the interpreter lacks, to rounding."""
    small = tl.abs(x) < 0.05  # where the difference of exponentials would cancel
    square = x * x
    series = x * (1 - square * (1 / 3 - square * (2 / 15 - square * (17 / 315))))
    return tl.where(small, series, 2 * tl.sigmoid(2 * x) - 1)
