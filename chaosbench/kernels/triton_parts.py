"""Pieces that the Triton kernels share: padded loads, products and activations."""

import triton
import triton.language as tl


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
