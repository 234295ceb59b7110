"""The squared error of networks of few units, and its gradients, as two Triton kernels without matrix products.

`tl.dot` pads three units to sixteen. Here each unit is a row of its own, `(BLOCK,)`, and the L hidden ones are
`(LP, BLOCK)`: all products are elementwise, and the sums over hidden units are the only ones between threads.
"""

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from chaosbench.kernels.network import Network
from chaosbench.kernels.triton_parts import CODES, BlockSums, Compared, activated, options, power_of_two, pulled

MOST_UNITS = 4  # M; with more, matrix products are faster
BLOCK, WARPS = 4, 1  # samples of a program, and its warps


def applies(network: Network, forcing: object) -> bool:
    """Return whether the kernels compute the error of this network."""
    if network.outward is None or network.inward is None or network.outward.shape[1] > MOST_UNITS:
        return False
    return forcing is None and network.readout is None and network.offset is None


def compare(
    network: Network, start: Tensor, data: Tensor, steps: int, forcing: None = None,
    *, block: int = BLOCK, warps: int = WARPS,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Return the error of each seed, `(K,)`, and the states and errors that `pull_back` needs."""
    seeds, samples, units = start.shape
    states = start.new_empty(seeds, steps + 1, units, samples)
    compared = Compared(data, start, steps, blocks=triton.cdiv(samples, block))
    given = (*_filled(network, start), start, states, *compared.arguments(), compared.errors)
    _forward[(compared.blocks, seeds)](*given, samples, steps, **_sizes(network, start, block), **options(warps))
    return compared.total(), states, compared.errors


def pull_back(
    network: Network, states: Tensor, errors: Tensor, forcing: None, of_errors: Tensor, terms: int,
    *, block: int = BLOCK, warps: int = WARPS,
) -> tuple[tuple[Tensor | None, ...], Tensor, None]:  # fmt: skip
    """Return gradients by the coefficients and the start, from those by the errors of the seeds, `(K,)`."""
    seeds, steps, _, samples = errors.shape
    by_start = states.new_empty(seeds, samples, states.shape[2])
    blocks = triton.cdiv(samples, block)
    sums = BlockSums(network.coefficients, blocks)
    given = (*_filled(network, by_start), states, errors, of_errors, of_errors.stride(0), terms, *sums.pointers()[:5])
    sizes = _sizes(network, by_start, block)
    _backward[(blocks, seeds)](*given, sums.stride, by_start, samples, steps, **sizes, **options(warps))
    return sums.total(), by_start, None


def _filled(network: Network, like: Tensor) -> tuple[Any, ...]:
    """The coefficients, of which W1 and W2 may be transposed, and their strides; any tensor where there is none."""
    outward, inward = network.outward, network.inward
    assert outward is not None
    assert inward is not None
    tensors = tuple(like if one is None else one for one in network.coefficients[:5])
    return *tensors, *outward.stride()[1:], *inward.stride()[1:]


def _sizes(network: Network, start: Tensor, block: int) -> dict[str, Any]:
    hidden, present = network.hidden, [one is not None for one in network.coefficients]
    return {
        "M": start.shape[2], "L": hidden, "D": network.dimension, "LP": power_of_two(hidden), "BLOCK": block,
        "CODE": CODES[network.activation], "LINEAR": hidden - network.rectified,
        "HAS_A": present[0], "HAS_H1": present[3], "HAS_H2": present[4],
    }  # fmt: skip


@triton.jit
def _numbers(data, k, size: tl.constexpr, present: tl.constexpr):
    """Numbers of a seed, one for each unit; zeros where there are none."""
    found = ()
    for j in tl.static_range(size):
        found = found + (tl.load(data + k * size + j) if present else 0.0,)
    return found


@triton.jit
def _columns(data, k, along, across, M: tl.constexpr, L: tl.constexpr, l):
    """The L numbers of a matrix that belong to each unit, as columns `(LP, 1)`."""
    found = ()
    for j in tl.static_range(M):
        found = found + (tl.load(data + k * M * L + j * along + l * across, mask=l < L, other=0.0)[:, None],)
    return found


@triton.jit
def _inner(inward, z, M: tl.constexpr):
    """W2 z, `(LP, BLOCK)`."""
    total = inward[0] * z[0][None, :]
    for j in tl.static_range(1, M):
        total += inward[j] * z[j][None, :]
    return total


@triton.jit
def _forward(
    a, w1, w2, h1, h2, w1_m, w1_l, w2_l, w2_m, start, states, data, data_k, data_b, data_t, data_d, segments, length,
    terms, sums, errors, samples, steps,
    M: tl.constexpr, L: tl.constexpr, D: tl.constexpr, LP: tl.constexpr, BLOCK: tl.constexpr,
    CODE: tl.constexpr, LINEAR: tl.constexpr, HAS_A: tl.constexpr, HAS_H1: tl.constexpr, HAS_H2: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(1).to(tl.int64)
    l = tl.arange(0, LP)
    ours = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    s, real = tl.minimum(ours, samples - 1), ours < samples
    window, segment = s // segments, s % segments
    outward, inward = _columns(w1, k, w1_m, w1_l, M, L, l), _columns(w2, k, w2_m, w2_l, M, L, l)
    threshold = tl.load(h2 + k * L + l, mask=l < L, other=0.0)[:, None] if HAS_H2 else 0.0
    diagonal, bias = _numbers(a, k, M, HAS_A), _numbers(h1, k, M, HAS_H1)
    z = ()
    for j in tl.static_range(M):
        z = z + (tl.load(start + (k * samples + s) * M + j),)
        tl.store(states + (k * (steps + 1) * M + j) * samples + s, z[j], mask=real)
    loss = tl.zeros((BLOCK,), z[0].dtype)
    seen = data + k * data_k + window * data_b
    for t in range(steps):
        bare = _inner(inward, z, M)
        active = activated(bare, bare + threshold, (l >= LINEAR)[:, None], CODE)
        following = ()
        for j in tl.static_range(M):
            following = following + (diagonal[j] * z[j] + bias[j] + tl.sum(outward[j] * active, axis=0),)
        z = following
        moment = segment * steps + t
        for j in tl.static_range(M):
            tl.store(states + ((k * (steps + 1) + t + 1) * M + j) * samples + s, z[j], mask=real)
            if j < D:
                live = real & (moment < length)
                x = tl.load(seen + moment * data_t + j * data_d, mask=live, other=0.0)
                error = tl.where(live, z[j] - x, 0.0)
                loss += error * error
                tl.store(errors + ((k * steps + t) * D + j) * samples + s, error, mask=real)
    tl.store(sums + k * tl.num_programs(0) + tl.program_id(0), tl.sum(loss, axis=0) / terms)


@triton.jit
def _backward(
    a, w1, w2, h1, h2, w1_m, w1_l, w2_l, w2_m, states, errors, of_errors, of_errors_k, terms,
    by_a, by_w1, by_w2, by_h1, by_h2, stride, by_start, samples, steps,
    M: tl.constexpr, L: tl.constexpr, D: tl.constexpr, LP: tl.constexpr, BLOCK: tl.constexpr,
    CODE: tl.constexpr, LINEAR: tl.constexpr, HAS_A: tl.constexpr, HAS_H1: tl.constexpr, HAS_H2: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(1).to(tl.int64)
    l = tl.arange(0, LP)
    ours = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    s, real = tl.minimum(ours, samples - 1), ours < samples
    outward, inward = _columns(w1, k, w1_m, w1_l, M, L, l), _columns(w2, k, w2_m, w2_l, M, L, l)
    threshold = tl.load(h2 + k * L + l, mask=l < L, other=0.0)[:, None] if HAS_H2 else 0.0
    diagonal, scale = _numbers(a, k, M, HAS_A), 2 * tl.load(of_errors + k * of_errors_k) / terms
    row, block = tl.zeros((BLOCK,), by_start.dtype.element_ty), tl.zeros((LP, BLOCK), by_start.dtype.element_ty)
    sum_h2, g, sum_a, sum_h1, sum_w1, sum_w2 = block, (), (), (), (), ()
    for _ in tl.static_range(M):
        g, sum_a, sum_h1 = g + (row,), sum_a + (row,), sum_h1 + (row,)
        sum_w1, sum_w2 = sum_w1 + (block,), sum_w2 + (block,)
    for back in range(steps):
        t = steps - 1 - back
        z, ahead = (), ()
        for j in tl.static_range(M):
            z = z + (tl.load(states + ((k * (steps + 1) + t) * M + j) * samples + s),)
            e = g[j]
            if j < D:
                e += scale * tl.load(errors + ((k * steps + t) * D + j) * samples + s, mask=real, other=0.0)
            ahead = ahead + (e,)
        bare = _inner(inward, z, M)
        active = activated(bare, bare + threshold, (l >= LINEAR)[:, None], CODE)
        upstream = _inner(outward, ahead, M)
        inside = pulled(bare + threshold, active, upstream, (l >= LINEAR)[:, None], CODE)
        sum_h2 += inside
        if CODE == 2:
            inside -= tl.where(bare <= 0, 0.0, upstream)
        g, of_a, of_h1, of_w1, of_w2 = (), (), (), (), ()
        for j in tl.static_range(M):
            g = g + (diagonal[j] * ahead[j] + tl.sum(inward[j] * inside, axis=0),)
            of_a, of_h1 = of_a + (sum_a[j] + ahead[j] * z[j],), of_h1 + (sum_h1[j] + ahead[j],)
            of_w1 = of_w1 + (sum_w1[j] + ahead[j][None, :] * active,)
            of_w2 = of_w2 + (sum_w2[j] + z[j][None, :] * inside,)
        sum_a, sum_h1, sum_w1, sum_w2 = of_a, of_h1, of_w1, of_w2
    part = tl.program_id(0).to(tl.int64) * stride
    for j in tl.static_range(M):
        tl.store(by_start + (k * samples + s) * M + j, g[j], mask=real)
        tl.store(by_w1 + part + k * M * L + j * w1_m + l * w1_l, tl.sum(sum_w1[j], axis=1), mask=l < L)
        tl.store(by_w2 + part + k * M * L + j * w2_m + l * w2_l, tl.sum(sum_w2[j], axis=1), mask=l < L)
        if HAS_A:
            tl.store(by_a + part + k * M + j, tl.sum(sum_a[j], axis=0))
        if HAS_H1:
            tl.store(by_h1 + part + k * M + j, tl.sum(sum_h1[j], axis=0))
    if HAS_H2:
        tl.store(by_h2 + part + k * L + l, tl.sum(sum_h2, axis=1), mask=l < L)
