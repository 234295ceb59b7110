"""The unroll and its gradients as two Triton kernels: a program runs a block of samples of one seed through all steps.

Rows and columns are padded to powers of two of at least 16, as `tl.dot` needs them. States stay in global memory, where
the second-level cache holds them; whatever else the backward pass needs is computed again. Products are in full single
precision ("ieee"): TF32 would spoil gradients. Gradients by coefficients are stored block by block and summed
afterwards, so that the result does not depend on the order in which blocks finish.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from chaosbench.kernels import triton_few_units, triton_vectors
from chaosbench.kernels.network import Forcing, Network
from chaosbench.kernels.triton_forcing import forced, signal_at, weight_at
from chaosbench.kernels.triton_parts import (
    CODES,
    MOST_WARPS,
    SMALL,
    BlockSums,
    Compared,
    activated,
    dot,
    fits,
    kept_error,
    matrix,
    not_compared,
    options,
    power_of_two,
    pull_of,
    pulled,
    vector,
)  # fmt: skip

BLOCK, WARPS = 16, 2  # samples of a program, and its warps for networks of up to 32 units
# Memory that the warps of a program share [bytes], at the most over networks and forcings, by the padded size of axes.
SHARED = {32: 36 << 10, 64: 80 << 10}
Gradients = tuple[tuple[Tensor | None, ...], Tensor, Tensor | None]


def forward(
    network: Network, start: Tensor, steps: int, forcing: Forcing | None,
    *, block: int = BLOCK, warps: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Return observations `(K, B, T, D)`, the last state `(K, B, M)`, and the states that `backward` needs."""
    seeds, samples, units = start.shape
    sizes, grid, filled = _sizes(network, start, forcing, block), _grid(start, block), _filled(network, start)
    states = start.new_empty(seeds, steps + 1, units, samples)
    observed, last = start.new_empty(seeds, samples, steps, network.dimension), torch.empty_like(start)
    given = (*filled, start, *_signals(forcing, start), states, observed, last, *not_compared(start))
    _forward[grid](*given, samples, steps, COMPARED=False, **sizes, **_options(network, warps))
    return observed, last, states


def backward(
    network: Network, states: Tensor, forcing: Forcing | None, of_observed: Tensor, of_last: Tensor,
    *, block: int = BLOCK, warps: int | None = None,
) -> Gradients:  # fmt: skip
    """Return gradients by the coefficients, the start and the signals, from those by observations and last state."""
    samples, steps = of_observed.shape[1:3]
    sizes, grid, filled = _sizes(network, of_last, forcing, block), _grid(of_last, block), _filled(network, of_last)
    sums = BlockSums(network.coefficients, grid[0])
    by_start, by_signals = torch.empty_like(of_last), None if forcing is None else torch.zeros_like(forcing.signals)
    signals = (*_signals(forcing, of_last), of_last if by_signals is None else by_signals)
    given = (*filled, states, *signals, of_observed, of_last, 0, 1, *sums.pointers(), sums.stride, by_start)
    _backward[grid](*given, samples, steps, COMPARED=False, **sizes, **_options(network, warps))
    return sums.total(), by_start, by_signals


def holds(network: Network) -> bool:
    """Return whether the programs have room for the network; more than 64 units take more registers than there are."""
    return fits(_widest(network), SHARED, next(one for one in network.coefficients if one is not None).device)


def takes_transposed(network: Network, forcing: Forcing | None) -> bool:
    """Return whether W1 and W2 may be transposed."""
    return _special(network, forcing) is not None


def compare(
    network: Network, start: Tensor, data: Tensor, steps: int, forcing: Forcing | None,
    *, block: int = BLOCK, warps: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Return the mean squared error of each seed, `(K,)`, and the states and errors that `pull_back` needs.

    Args:
        data: what should be observed, `(K, B, T, D)`; start and signals are those of segments, window by window.
    """
    if (special := _special(network, forcing)) is not None:
        found: tuple[Tensor, Tensor, Tensor] = special.compare(network, start, data, steps, forcing)
        return found
    seeds, samples, units = start.shape
    sizes, grid, filled = _sizes(network, start, forcing, block), _grid(start, block), _filled(network, start)
    states, compared = start.new_empty(seeds, steps + 1, units, samples), Compared(data, start, steps, blocks=grid[0])
    given = (*filled, start, *_signals(forcing, start), states, compared.errors, start, *compared.arguments())
    _forward[grid](*given, samples, steps, COMPARED=True, **sizes, **_options(network, warps))
    return compared.total(), states, compared.errors


def pull_back(
    network: Network, states: Tensor, errors: Tensor, forcing: Forcing | None, of_errors: Tensor, terms: int,
    *, block: int = BLOCK, warps: int | None = None,
) -> Gradients:  # fmt: skip
    """Return gradients by the coefficients, the start and the signals, from those by the error of each seed, `(K,)`.

    Args:
        terms: B T D.
    """
    if (special := _special(network, forcing)) is not None:
        found: Gradients = special.pull_back(network, states, errors, forcing, of_errors, terms)
        return found
    seeds, steps, _, samples = errors.shape
    by_start = states.new_empty(seeds, samples, states.shape[2])
    sizes, grid, filled = _sizes(network, by_start, forcing, block), _grid(by_start, block), _filled(network, by_start)
    sums, scale = BlockSums(network.coefficients, grid[0]), (of_errors, of_errors.stride(0), terms)
    by_signals = None if forcing is None else torch.zeros_like(forcing.signals)
    signals = (*_signals(forcing, by_start), by_start if by_signals is None else by_signals)
    given = (*filled, states, *signals, errors, *scale, *sums.pointers(), sums.stride, by_start)
    _backward[grid](*given, samples, steps, COMPARED=True, **sizes, **_options(network, warps))
    return sums.total(), by_start, by_signals


def _special(network: Network, forcing: Forcing | None) -> Any:
    """Return the kernels for small networks of this kind; None if there are none."""
    return next((one for one in (triton_few_units, triton_vectors) if one.applies(network, forcing)), None)


def _widest(network: Network) -> int:
    sizes = [max(one.shape[1:]) for one in network.coefficients if one is not None]
    return max(network.dimension, *sizes)


def _options(network: Network, warps: int | None) -> dict[str, Any]:
    return options(warps or (WARPS if _widest(network) <= SMALL else MOST_WARPS))


def _grid(start: Tensor, block: int) -> tuple[int, int]:
    return triton.cdiv(start.shape[1], block), start.shape[0]


def _filled(network: Network, like: Tensor) -> tuple[Tensor, ...]:
    """The coefficients; any tensor where there is none, which the kernels do not read."""
    return tuple(like if one is None else one for one in network.coefficients)


def _signals(forcing: Forcing | None, like: Tensor) -> tuple[Tensor, Tensor]:
    if forcing is None:
        return like, like
    weights = forcing.weights
    if weights is None:
        return forcing.signals, like
    return forcing.signals, weights.expand(like.shape[0], like.shape[1], weights.shape[2]).contiguous()


def _sizes(network: Network, start: Tensor, forcing: Forcing | None, block: int) -> dict[str, Any]:
    units, hidden, seen = start.shape[2], network.hidden, network.dimension
    forced = 0 if forcing is None else forcing.signals.shape[-1]
    interval = 0 if forcing is None or forcing.weights is not None else forcing.interval
    present = dict(
        zip(("HAS_A", "HAS_W1", "HAS_W2", "HAS_H1", "HAS_H2", "HAS_C", "HAS_D"), network.coefficients, strict=True)
    )
    return {
        "M": units, "L": hidden, "D": seen, "N": forced, "INTERVAL": interval,
        "MP": power_of_two(units), "LP": power_of_two(hidden), "DP": power_of_two(seen), "BLOCK": block,
        "CODE": CODES[network.activation], "LINEAR": hidden - network.rectified,
        **{name: one is not None for name, one in present.items()},
    }  # fmt: skip


@triton.jit
def _forward(
    a, w1, w2, h1, h2, c, d, start, signals, weights, states, observed, last,
    data, data_k, data_b, data_t, data_d, segments, length, terms, sums, samples, steps, COMPARED: tl.constexpr,
    M: tl.constexpr, L: tl.constexpr, D: tl.constexpr, N: tl.constexpr, INTERVAL: tl.constexpr,
    MP: tl.constexpr, LP: tl.constexpr, DP: tl.constexpr, BLOCK: tl.constexpr,
    CODE: tl.constexpr, LINEAR: tl.constexpr, HAS_A: tl.constexpr, HAS_W1: tl.constexpr, HAS_W2: tl.constexpr,
    HAS_H1: tl.constexpr, HAS_H2: tl.constexpr, HAS_C: tl.constexpr, HAS_D: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(1).to(tl.int64)
    m, l, r = tl.arange(0, MP), tl.arange(0, LP), tl.arange(0, DP)
    ours = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    s = tl.minimum(ours, samples - 1)  # past the last sample the last is repeated: zeros might overflow on their own
    real = (ours < samples)[None, :]
    z = tl.load(start + (k * samples + s)[None, :] * M + m[:, None], mask=(m < M)[:, None], other=0.0)
    diagonal, bias = vector(a, k, M, m, HAS_A, z), vector(h1, k, M, m, HAS_H1, z)
    threshold = vector(h2, k, L, l, HAS_H2, tl.zeros((LP, BLOCK), z.dtype))
    outward = matrix(w1, k, M, L, m, l, HAS_W1, z.dtype)
    inward = matrix(w2, k, L, M, l, m, HAS_W2, z.dtype)
    readout = matrix(c, k, D, M, r, m, HAS_C, z.dtype)
    offset = vector(d, k, D, r, HAS_D, tl.zeros((DP, BLOCK), z.dtype))
    kept = states + k * (steps + 1) * M * samples + m[:, None] * samples + s[None, :]
    written = (m < M)[:, None] & real
    rows = r if HAS_C else m
    shift = vector(d, k, D, m, HAS_D, z)
    loss = tl.zeros((DP if HAS_C else MP, BLOCK), z.dtype)
    tl.store(kept, z, mask=written)
    for t in range(steps):
        z = forced(z, signals, weights, k, s, m, t, samples, steps, N, INTERVAL)
        bare = dot(inward, z) if HAS_W2 else z
        active = activated(bare, bare + threshold, (l >= LINEAR)[:, None], CODE)
        z = diagonal * z + bias + (dot(outward, active) if HAS_W1 else active)
        tl.store(kept + (t + 1) * M * samples, z, mask=written)
        shown = dot(readout, z) + offset if HAS_C else z + shift
        if COMPARED:
            error = kept_error(shown, rows, k, s, real, t, data, data_k, data_b, data_t, data_d, segments, length,
                               observed, samples, steps, D)  # fmt: skip
            loss += error * error
        else:
            place = ((k * samples + s)[None, :] * steps + t) * D + rows[:, None]
            tl.store(observed + place, shown, mask=(rows < D)[:, None] & real)
    if COMPARED:
        tl.store(sums + k * tl.num_programs(0) + tl.program_id(0), tl.sum(tl.sum(loss, 1), 0) / terms)
    else:
        tl.store(last + (k * samples + s)[None, :] * M + m[:, None], z, mask=written)


@triton.jit
def _backward(
    a, w1, w2, h1, h2, c, d, states, signals, weights, by_signals, of_observed, of_last, of_last_k, terms,
    by_a, by_w1, by_w2, by_h1, by_h2, by_c, by_d, stride, by_start, samples, steps, COMPARED: tl.constexpr,
    M: tl.constexpr, L: tl.constexpr, D: tl.constexpr, N: tl.constexpr, INTERVAL: tl.constexpr,
    MP: tl.constexpr, LP: tl.constexpr, DP: tl.constexpr, BLOCK: tl.constexpr,
    CODE: tl.constexpr, LINEAR: tl.constexpr, HAS_A: tl.constexpr, HAS_W1: tl.constexpr, HAS_W2: tl.constexpr,
    HAS_H1: tl.constexpr, HAS_H2: tl.constexpr, HAS_C: tl.constexpr, HAS_D: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(1).to(tl.int64)
    m, l, r = tl.arange(0, MP), tl.arange(0, LP), tl.arange(0, DP)
    ours = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    s = tl.minimum(ours, samples - 1)
    real = (ours < samples)[None, :]
    written = (m < M)[:, None] & real
    if COMPARED:  # then `of_last` holds the gradient by the error of each seed
        scale = 2 * tl.load(of_last + k * of_last_k) / terms
        g = tl.zeros((MP, BLOCK), states.dtype.element_ty)
    else:
        scale = 1.0
        g = tl.load(of_last + (k * samples + s)[None, :] * M + m[:, None], mask=written, other=0.0)
    zero_l, zero_d = tl.zeros((LP, BLOCK), g.dtype), tl.zeros((DP, BLOCK), g.dtype)
    diagonal, threshold = vector(a, k, M, m, HAS_A, g), vector(h2, k, L, l, HAS_H2, zero_l)
    outward = matrix(w1, k, M, L, m, l, HAS_W1, g.dtype)
    inward = matrix(w2, k, L, M, l, m, HAS_W2, g.dtype)
    readout = matrix(c, k, D, M, r, m, HAS_C, g.dtype)
    sum_a, sum_h1, sum_h2, sum_d = tl.zeros_like(g), tl.zeros_like(g), zero_l, zero_d
    sum_w1, sum_w2 = tl.zeros((MP, LP), g.dtype), tl.zeros((LP, MP), g.dtype)
    sum_c = tl.zeros((DP, MP), g.dtype)
    kept = states + k * (steps + 1) * M * samples + m[:, None] * samples + s[None, :]
    for i in range(steps):
        t = steps - 1 - i
        if HAS_C:
            e = pull_of(of_observed, scale, r, k, s, real, t, samples, steps, D, COMPARED)
            ahead = tl.load(kept + (t + 1) * M * samples, mask=(m < M)[:, None], other=0.0)
            g += dot(tl.trans(readout), e)
            sum_c += dot(e, tl.trans(ahead))
        else:
            g += pull_of(of_observed, scale, m, k, s, real, t, samples, steps, D, COMPARED)
        if HAS_D:
            sum_d += pull_of(of_observed, scale, r, k, s, real, t, samples, steps, D, COMPARED)
        z = tl.load(kept + t * M * samples, mask=(m < M)[:, None], other=0.0)
        z = forced(z, signals, weights, k, s, m, t, samples, steps, N, INTERVAL)
        bare = dot(inward, z) if HAS_W2 else z
        active = activated(bare, bare + threshold, (l >= LINEAR)[:, None], CODE)
        upstream = dot(tl.trans(outward), g) if HAS_W1 else g
        inside = pulled(bare + threshold, active, upstream, (l >= LINEAR)[:, None], CODE)
        sum_h2 += inside
        if CODE == 2:
            inside -= tl.where(bare <= 0, 0.0, upstream)
        if HAS_W1:
            sum_w1 += dot(g, tl.trans(active))
        if HAS_W2:
            sum_w2 += dot(inside, tl.trans(z))
        sum_h1 += g
        sum_a += g * z
        g = diagonal * g + (dot(tl.trans(inward), inside) if HAS_W2 else inside)
        if N > 0:
            w = weight_at(weights, k, s, t, samples, steps, N, INTERVAL, s.to(g.dtype))[None, :]
            drawn = (m < N)[:, None] & real & (w > 0)
            tl.store(by_signals + signal_at(k, s, m, t, samples, steps, N, INTERVAL), w * g, mask=drawn)
            g = tl.where((m < N)[:, None], (1 - w) * g, g)
    tl.store(by_start + (k * samples + s)[None, :] * M + m[:, None], g, mask=written)
    part = tl.program_id(0).to(tl.int64) * stride
    if HAS_A:
        tl.store(by_a + part + k * M + m, tl.sum(sum_a, 1), mask=m < M)
    if HAS_H1:
        tl.store(by_h1 + part + k * M + m, tl.sum(sum_h1, 1), mask=m < M)
    if HAS_H2:
        tl.store(by_h2 + part + k * L + l, tl.sum(sum_h2, 1), mask=l < L)
    if HAS_D:
        tl.store(by_d + part + k * D + r, tl.sum(sum_d, 1), mask=r < D)
    if HAS_W1:
        inside_w1 = (m < M)[:, None] & (l < L)[None, :]
        tl.store(by_w1 + part + k * M * L + m[:, None] * L + l[None, :], sum_w1, mask=inside_w1)
    if HAS_W2:
        inside_w2 = (l < L)[:, None] & (m < M)[None, :]
        tl.store(by_w2 + part + k * L * M + l[:, None] * M + m[None, :], sum_w2, mask=inside_w2)
    if HAS_C:
        inside_c = (r < D)[:, None] & (m < M)[None, :]
        tl.store(by_c + part + k * D * M + r[:, None] * M + m[None, :], sum_c, mask=inside_c)
