"""Pieces that the Triton kernels share: padded loads, products and activations, and sums over blocks."""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra import libdevice

CODES = {"relu": 0, "tanh": 1, "clipped": 2, "almost_linear": 3}  # of activations, in kernels
# Triton 3.9's compiler aborts at the polynomial of `tanh` below in LSTMs of 33 to 64 units.
_LIBRARY = tl.constexpr(
    tuple(map(int, triton.__version__.split(".")[:2])) >= (3, 9) and os.environ.get("TRITON_INTERPRET") != "1"
)
SMALL = 32  # entries of the widest axis of a program
MOST_WARPS = 8  # of a program with wider axes; with fewer, kilobytes of registers spill at every step
WARPS_AT_ONCE = 4096  # two to four times as many as an H100 holds


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
        summed = self._parts[0] if len(self._parts) == 1 else torch.sum(self._parts, dim=0)
        pairs = zip(self._like, self._begins, strict=True)
        return tuple(
            None if one is None else summed.as_strided(one.shape, one.stride(), summed.storage_offset() + at)
            for one, at in pairs
        )


class Compared:
    """Arguments by which kernels compare their observations with data, and the errors that they write.

    Args:
        data: what should be observed, `(K, B, T, D)`, with any strides.
        start: of the segments of every window, window by window, `(K, B segments, M)`.
        steps: length of a segment.
        blocks: number of blocks of samples.

    Attributes:
        errors: observations less data, `(K, steps, D, B segments)`; zero past the end of a window.
    """

    def __init__(self, data: Tensor, start: Tensor, steps: int, *, blocks: int) -> None:
        seeds, samples = start.shape[:2]
        self._data, self.blocks, self._segments = data, blocks, samples // data.shape[1]
        self.errors = start.new_empty(seeds, steps, data.shape[3], samples)
        self._sums = start.new_empty(seeds, blocks)

    def arguments(self) -> tuple[Any, ...]:
        """The arguments of a kernel: data and their strides, segments, T, B T D, and where sums go."""
        data = self._data
        return data, *data.stride(), self._segments, data.shape[2], data[0].numel(), self._sums

    def total(self) -> Tensor:
        """Return the mean squared error of each seed, `(K,)`."""
        return self._sums.sum(dim=1)


def not_compared(like: Tensor) -> tuple[Any, ...]:
    """The arguments of a kernel that does not compare, which does not read them."""
    return like, 0, 0, 0, 0, 1, 0, 1, like


def samples_of_a_warp(seeds: int, samples: int) -> int:
    """Return how many samples follow each other in a warp, so that there are about as many warps as a GPU holds."""
    return min(samples, max(1, seeds * samples // WARPS_AT_ONCE))


def options(warps: int) -> dict[str, Any]:
    """Return the options of a launch: products and sums are fused, which later versions of Triton do when asked."""
    return {"num_warps": warps, "enable_fp_fusion": True}


def fits(widest: int, needed: Mapping[int, int], device: torch.device) -> bool:
    """Return whether a program has the memory that it shares between its warps.

    Args:
        widest: size of its widest axis.
        needed: the memory of the largest of its kernels for axes of up to so many entries [bytes].
        device: where it would run.
    """
    room = next((memory for size, memory in needed.items() if widest <= size), None)
    return room is not None and (device.type != "cuda" or room <= shared_memory(device))


@cache
def shared_memory(device: torch.device) -> int:
    """Return the memory that the warps of a program may share [bytes], as Triton compares it before a launch."""
    index = torch.cuda.current_device() if device.index is None else device.index
    return int(triton.runtime.driver.active.utils.get_device_properties(index)["max_shared_mem"])


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
    """Return tanh(x) to rounding; the interpreter lacks the function of the library."""
    if _LIBRARY:
        return libdevice.tanh(x)
    else:
        small = tl.abs(x) < 0.05  # where the difference of exponentials would cancel
        square = x * x
        series = x * (1 - square * (1 / 3 - square * (2 / 15 - square * (17 / 315))))
        return tl.where(small, series, 2 * tl.sigmoid(2 * x) - 1)


@triton.jit
def activated(bare, shifted, bent, CODE: tl.constexpr):
    """Return phi of hidden units; `bare` is without the threshold, and `bent` where almost linear ones are not."""
    if CODE == 0:
        return tl.where(shifted <= 0, 0.0, shifted)
    elif CODE == 1:
        return tanh(shifted)
    elif CODE == 2:
        return tl.where(shifted <= 0, 0.0, shifted) - tl.where(bare <= 0, 0.0, bare)
    else:
        return tl.where(bent & (shifted < 0), 0.0, shifted)


@triton.jit
def pulled(shifted, value, upstream, bent, CODE: tl.constexpr):
    """Return the gradient by what phi is applied to, from that by its value; of "clipped", its first part."""
    if CODE == 1:
        return upstream * (1 - value * value)
    elif CODE == 3:
        return tl.where(bent & (shifted < 0), 0.0, upstream)
    else:
        return tl.where(shifted <= 0, 0.0, upstream)


@triton.jit
def kept_error(
    value, rows, k, s, real, t, data, data_k, data_b, data_t, data_d, segments, length, errors, samples, steps,
    D: tl.constexpr,
):  # fmt: skip
    """Store what is observed after step t of a segment less the data, and return it; zero past the window's end."""
    moment, rows = ((s % segments) * steps + t)[None, :], rows[:, None]
    live = (rows < D) & real & (moment < length)
    at = data + k * data_k + (s // segments)[None, :] * data_b
    error = tl.where(live, value - tl.load(at + moment * data_t + rows * data_d, mask=live, other=0.0), 0.0)
    tl.store(errors + ((k * steps + t) * D + rows) * samples + s[None, :], error, mask=(rows < D) & real)
    return error


@triton.jit
def pull_of(of_observed, scale, rows, k, s, real, t, samples, steps, D: tl.constexpr, COMPARED: tl.constexpr):
    """Load the gradient by what is observed after step t: as given, or from the error."""
    inside = (rows < D)[:, None] & real
    if COMPARED:
        at = ((k * steps + t) * D + rows[:, None]) * samples + s[None, :]
        return scale * tl.load(of_observed + at, mask=inside, other=0.0)
    else:
        at = ((k * samples + s)[None, :] * steps + t) * D + rows[:, None]
        return tl.load(of_observed + at, mask=inside, other=0.0)


@triton.jit
def store_gate(by_weight, by_bias, gate, sum_w, sum_b, m, M: tl.constexpr):
    """Store the gradients by the weights and biases of a gate."""
    square = (m < M)[:, None] & (m < M)[None, :]
    tl.store(by_weight + gate * M * M + m[:, None] * M + m[None, :], sum_w, mask=square)
    tl.store(by_bias + gate * M + m, tl.sum(sum_b, 1), mask=m < M)


@triton.jit
def store_readout(by_c, by_d, k, sum_c, sum_d, r, m, D: tl.constexpr, M: tl.constexpr, HAS_D: tl.constexpr):
    """Store the gradients by the read-out."""
    inside = (r < D)[:, None] & (m < M)[None, :]
    tl.store(by_c + k * D * M + r[:, None] * M + m[None, :], sum_c, mask=inside)
    if HAS_D:
        tl.store(by_d + k * D + r, tl.sum(sum_d, 1), mask=r < D)
