"""The squared error of networks of up to 32 units and one matrix, and its gradients, a sample at a time on a warp.

Each thread keeps a column of the matrix in registers and multiplies it by the whole state, which passes from one step
to the next through shared memory. Products of blocks of samples (`tl.dot`) would read their operands from there, and
warps would wait for each other at every step.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from chaosbench.kernels.network import Forcing, Network
from chaosbench.kernels.triton_parts import (
    CODES,
    BlockSums,
    activated,
    options,
    power_of_two,
    pulled,
    samples_of_a_warp,
)

MOST_UNITS, MOST_SEEN = 32, 4  # M, and D where there is a read-out


def applies(network: Network, forcing: Forcing | None) -> bool:
    """Return whether the kernels compute the error of this network."""
    one_matrix = (network.outward is None) != (network.inward is None)
    seen = network.offset is None and (network.readout is None or network.dimension <= MOST_SEEN)
    blended = forcing is not None and forcing.weights is not None
    return one_matrix and seen and not blended and network.hidden <= MOST_UNITS


def compare(
    network: Network, start: Tensor, data: Tensor, steps: int, forcing: Forcing | None, *, each: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the error of each seed, `(K,)`, and the states and errors that `pull_back` needs.

    Args:
        each: samples of a program; None: chosen by their number.
    """
    seeds, samples, units = start.shape
    each = each or samples_of_a_warp(seeds, samples)
    grid = triton.cdiv(samples, each), seeds
    states = start.new_empty(seeds, samples, steps + 1, units)
    errors, sums = start.new_empty(seeds, samples, steps, data.shape[3]), start.new_empty(seeds, grid[0])
    compared = data, *data.stride(), samples // data.shape[1], data.shape[2], data[0].numel()
    given = (*_filled(network, start, forcing), start, states, *compared, errors, sums, samples, steps, each)
    _forward[grid](*given, **_sizes(network, start, forcing), **options(1))
    return sums.sum(dim=1), states, errors


def pull_back(
    network: Network, states: Tensor, errors: Tensor, forcing: Forcing | None, of_errors: Tensor, terms: int,
    *, each: int | None = None,
) -> tuple[tuple[Tensor | None, ...], Tensor, Tensor | None]:  # fmt: skip
    """Return gradients by the coefficients, the start and the signals, from those by the error of each seed, `(K,)`."""
    seeds, samples, steps, _ = errors.shape
    each = each or samples_of_a_warp(seeds, samples)
    grid, by_start = (triton.cdiv(samples, each), seeds), states.new_empty(seeds, samples, states.shape[3])
    sums, by_signals = BlockSums(network.coefficients, grid[0]), None
    if forcing is not None:
        by_signals = torch.empty_like(forcing.signals)
    by_a, by_w1, by_w2, by_h1, by_h2, by_c, _ = sums.pointers()
    results = by_a, by_w1 if network.inward is None else by_w2, by_h1, by_h2, by_c, sums.stride, by_start
    scale = of_errors, of_errors.stride(0), terms
    given = (*_filled(network, by_start, forcing), states, errors, *scale, *results)
    pulled_signals = by_start if by_signals is None else by_signals
    sizes = _sizes(network, by_start, forcing)
    _backward[grid](*given, pulled_signals, samples, steps, each, **sizes, **options(1))
    return sums.total(), by_start, by_signals


def _filled(network: Network, like: Tensor, forcing: Forcing | None) -> tuple[Any, ...]:
    """The coefficients and the signals; any tensor where there is none.

    The matrix comes twice, transposed and as it is, with its strides: threads keep columns of what is contiguous.
    """
    matrix = network.outward if network.inward is None else network.inward
    assert matrix is not None
    vectors = network.diagonal, network.bias, network.threshold, network.readout
    a, h1, h2, c = (like if one is None else one for one in vectors)
    signals = like if forcing is None else forcing.signals
    count = 0 if forcing is None else forcing.signals.shape[2]
    return a, matrix.mT.contiguous(), matrix.contiguous(), *matrix.stride()[1:], h1, h2, c, signals, count


def _sizes(network: Network, start: Tensor, forcing: Forcing | None) -> dict[str, Any]:
    units, present = start.shape[2], [one is not None for one in network.coefficients]
    return {
        "M": units, "D": network.dimension, "P": power_of_two(units), "CODE": CODES[network.activation],
        "LINEAR": units - network.rectified, "N": 0 if forcing is None else forcing.signals.shape[3],
        "INTERVAL": 1 if forcing is None else forcing.interval, "INWARD": present[2],
        "HAS_A": present[0], "HAS_H1": present[3], "HAS_H2": present[4], "HAS_C": present[5],
    }  # fmt: skip


@triton.jit
def _vector(data, k, m, M: tl.constexpr, present: tl.constexpr, like):
    """Numbers of a seed, one per unit; zeros where there are none."""
    if present:
        return tl.load(data + k * M + m, mask=m < M, other=0.0)
    else:
        return tl.zeros_like(like)


@triton.jit
def _rows(c, k, m, M: tl.constexpr, D: tl.constexpr, HAS_C: tl.constexpr):
    """The rows of the read-out, each with a number per unit."""
    found = ()
    for j in tl.static_range(D if HAS_C else 0):
        found = found + (tl.load(c + (k * D + j) * M + m, mask=m < M, other=0.0),)
    return found


@triton.jit
def _forced(z, signals, count, sample, m, t, N: tl.constexpr, INTERVAL: tl.constexpr):
    if N > 0:
        now = _due(m, t, N, INTERVAL)
        x = tl.load(signals + (sample * count + t // INTERVAL - 1) * N + m, mask=now, other=0.0)
        z = tl.where(now, x, z)
    return z


@triton.jit
def _due(m, t, N: tl.constexpr, INTERVAL: tl.constexpr):
    step = _spread(t, m)
    return (m < N) & (step > 0) & (step % INTERVAL == 0)


@triton.jit
def _spread(number, m):
    """A block of a number: Triton 3.9's interpreter makes integers of a comparison of numbers that it spreads."""
    return number + 0 * m


@triton.jit
def _forward(
    a, turned_w, w, w_row, w_column, h1, h2, c, signals, count, start, states,
    data, data_k, data_b, data_t, data_d, segments, length, terms, errors, sums, samples, steps, each,
    M: tl.constexpr, D: tl.constexpr, P: tl.constexpr, CODE: tl.constexpr, LINEAR: tl.constexpr, N: tl.constexpr,
    INTERVAL: tl.constexpr, INWARD: tl.constexpr, HAS_A: tl.constexpr, HAS_H1: tl.constexpr, HAS_H2: tl.constexpr,
    HAS_C: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(1).to(tl.int64)
    m, n = tl.arange(0, P), tl.arange(0, P)
    zero = tl.zeros((P,), states.dtype.element_ty)
    diagonal, bias, threshold = (
        _vector(a, k, m, M, HAS_A, zero), _vector(h1, k, m, M, HAS_H1, zero), _vector(h2, k, m, M, HAS_H2, zero)
    )  # fmt: skip
    square = (n < M)[:, None] & (m < M)[None, :]
    turned = tl.load(turned_w + k * M * M + n[:, None] * M + m[None, :], mask=square, other=0.0)
    readout, bent, loss, losses = _rows(c, k, m, M, D, HAS_C), m >= LINEAR, tl.sum(zero, axis=0), zero
    first = tl.program_id(0) * each
    for s in range(first, tl.minimum(first + each, samples)):
        z = tl.load(start + (k * samples + s) * M + m, mask=m < M, other=0.0)
        kept, shown = states + (k * samples + s) * (steps + 1) * M + m, errors + (k * samples + s) * steps * D
        seen, moment = data + k * data_k + (s // segments) * data_b, (s % segments) * steps
        tl.store(kept, z, mask=m < M)
        for t in range(steps):
            z = _forced(z, signals, count, k * samples + s, m, t, N, INTERVAL)
            if INWARD:
                bare = tl.sum(turned * z[:, None], axis=0)
                z = diagonal * z + bias + activated(bare, bare + threshold, bent, CODE)
            else:
                active = activated(z, z + threshold, bent, CODE)
                z = diagonal * z + bias + tl.sum(turned * active[:, None], axis=0)
            tl.store(kept + (t + 1) * M, z, mask=m < M)
            at, live = seen + (moment + t) * data_t, moment + t < length
            if HAS_C:
                for j in tl.static_range(D):
                    x = tl.load(at + j * data_d, mask=live, other=0.0)
                    error = tl.where(live, tl.sum(readout[j] * z, axis=0) - x, 0.0)
                    tl.store(shown + t * D + j, error)
                    loss += error * error
            else:
                known = (m < D) & (_spread(moment + t, m) < length)
                x = tl.load(at + m * data_d, mask=known, other=0.0)
                error = tl.where(known, z - x, 0.0)
                tl.store(shown + t * D + m, error, mask=m < D)
                losses += error * error
    tl.store(sums + k * tl.num_programs(0) + tl.program_id(0), (loss + tl.sum(losses, axis=0)) / terms)


@triton.jit
def _backward(
    a, turned_w, w, w_row, w_column, h1, h2, c, signals, count, states, errors, of_errors, of_errors_k, terms,
    by_a, by_w, by_h1, by_h2, by_c, stride, by_start, by_signals, samples, steps, each,
    M: tl.constexpr, D: tl.constexpr, P: tl.constexpr, CODE: tl.constexpr, LINEAR: tl.constexpr, N: tl.constexpr,
    INTERVAL: tl.constexpr, INWARD: tl.constexpr, HAS_A: tl.constexpr, HAS_H1: tl.constexpr, HAS_H2: tl.constexpr,
    HAS_C: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(1).to(tl.int64)
    m, n = tl.arange(0, P), tl.arange(0, P)
    zero = tl.zeros((P,), states.dtype.element_ty)
    diagonal, threshold = _vector(a, k, m, M, HAS_A, zero), _vector(h2, k, m, M, HAS_H2, zero)
    square = (n < M)[:, None] & (m < M)[None, :]
    weight = tl.load(w + k * M * M + n[:, None] * M + m[None, :], mask=square, other=0.0)
    readout, bent, scale = _rows(c, k, m, M, D, HAS_C), m >= LINEAR, 2 * tl.load(of_errors + k * of_errors_k) / terms
    of_tanh: tl.constexpr = INWARD and CODE == 1 and not HAS_A and not HAS_H1  # then z' is the value of phi
    turned = weight
    if INWARD and not of_tanh:
        turned = tl.load(turned_w + k * M * M + n[:, None] * M + m[None, :], mask=square, other=0.0)
    sum_w, sum_a, sum_h1, sum_h2, sum_c = tl.zeros((P, P), zero.dtype), zero, zero, zero, ()
    for _ in tl.static_range(D if HAS_C else 0):
        sum_c = sum_c + (zero,)
    first = tl.program_id(0) * each
    for s in range(first, tl.minimum(first + each, samples)):
        kept, shown = states + (k * samples + s) * (steps + 1) * M + m, errors + (k * samples + s) * steps * D
        g, ahead = zero, tl.load(kept + steps * M, mask=m < M, other=0.0)
        following = tl.load(kept + (steps - 1) * M, mask=m < M, other=0.0)
        for back in range(steps):
            t = steps - 1 - back
            raw = following
            earlier = (m < M) & (_spread(t, m) > 0)
            following = tl.load(kept + (t - 1) * M, mask=earlier, other=0.0)  # for the next iteration
            if HAS_C:
                of_c = ()
                for j in tl.static_range(D):
                    e = scale * tl.load(shown + t * D + j)
                    g += e * readout[j]
                    of_c = of_c + (sum_c[j] + e * ahead,)
                sum_c = of_c
            else:
                g += scale * tl.load(shown + t * D + m, mask=m < D, other=0.0)
            z = _forced(raw, signals, count, k * samples + s, m, t, N, INTERVAL)
            sum_a += g * z
            sum_h1 += g
            if INWARD:
                if of_tanh:
                    bare, value = ahead, ahead
                else:
                    bare = tl.sum(turned * z[:, None], axis=0)
                    value = activated(bare, bare + threshold, bent, CODE)
                inside = pulled(bare + threshold, value, g, bent, CODE)
                sum_h2 += inside
                if CODE == 2:
                    inside -= tl.where(bare <= 0, 0.0, g)
                sum_w += inside[:, None] * z[None, :]
                g = diagonal * g + tl.sum(weight * inside[:, None], axis=0)
            else:
                value = activated(z, z + threshold, bent, CODE)
                upstream = tl.sum(weight * g[:, None], axis=0)
                sum_w += g[:, None] * value[None, :]
                inside = pulled(z + threshold, value, upstream, bent, CODE)
                sum_h2 += inside
                if CODE == 2:
                    inside -= tl.where(z <= 0, 0.0, upstream)
                g = diagonal * g + inside
            if N > 0:
                now = _due(m, t, N, INTERVAL)
                at = by_signals + ((k * samples + s) * count + t // INTERVAL - 1) * N + m
                tl.store(at, g, mask=now)
                g = tl.where(now, 0.0, g)
            ahead = raw
        tl.store(by_start + (k * samples + s) * M + m, g, mask=m < M)
    part = tl.program_id(0).to(tl.int64) * stride
    at = by_w + part + k * M * M + n[:, None] * w_row + m[None, :] * w_column
    tl.store(at, sum_w, mask=square)
    if HAS_A:
        tl.store(by_a + part + k * M + m, sum_a, mask=m < M)
    if HAS_H1:
        tl.store(by_h1 + part + k * M + m, sum_h1, mask=m < M)
    if HAS_H2:
        tl.store(by_h2 + part + k * M + m, sum_h2, mask=m < M)
    for j in tl.static_range(D if HAS_C else 0):
        tl.store(by_c + part + (k * D + j) * M + m, sum_c[j], mask=m < M)
