"""The unroll of LSTMs and GRUs and its gradients as Triton kernels, laid out as those of `triton_cuda`.

Gates are computed again in the backward pass: storing them would cost more traffic than computing them.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from chaosbench.kernels import triton_lstm_vectors
from chaosbench.kernels.gated import GatedNetwork
from chaosbench.kernels.triton_gru import gru_backward, gru_forward
from chaosbench.kernels.triton_parts import (
    MOST_WARPS,
    SMALL,
    BlockSums,
    Compared,
    dot,
    fits,
    kept_error,
    matrix,
    not_compared,
    options,
    power_of_two,
    pull_of,
    store_gate,
    store_readout,
    tanh,
    vector,
)

BLOCK, WARPS = 16, 4  # samples of a program, and its warps for networks of up to 32 units
# Memory that the warps of a program share [bytes], at the most over networks, by the padded size of axes.
SHARED = {"lstm": {32: 64 << 10, 64: 144 << 10}, "gru": {32: 48 << 10, 64: 120 << 10}}


def forward(
    network: GatedNetwork, start: Tensor, steps: int, forcing: None, *, block: int = BLOCK, warps: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return observations `(K, B, T, D)`, the last state `(K, B, S)`, and the states that `backward` needs."""
    seeds, samples, size = start.shape
    states = start.new_empty(seeds, steps + 1, size, samples)
    observed, last = start.new_empty(seeds, samples, steps, network.dimension), torch.empty_like(start)
    given = (*_filled(network, start), start, states, observed, last, *not_compared(start), samples, steps)
    kernel, sizes = _lstm_forward if network.kind == "lstm" else gru_forward, _sizes(network, block)
    kernel[(triton.cdiv(samples, block), seeds)](*given, COMPARED=False, **sizes, **_options(network, warps))
    return observed, last, states


def backward(
    network: GatedNetwork, states: Tensor, forcing: None, of_observed: Tensor, of_last: Tensor,
    *, block: int = BLOCK, warps: int | None = None,
) -> tuple[tuple[Tensor | None, ...], Tensor, None]:  # fmt: skip
    """Return gradients by the coefficients and the start, from those by observations and last state."""
    (seeds, samples, _), steps = of_last.shape, of_observed.shape[2]
    blocks, by_start = triton.cdiv(samples, block), torch.empty_like(of_last)
    sums = BlockSums(network.coefficients, blocks)
    given = (*_filled(network, of_last), states, of_observed, of_last, 0, 1, *sums.pointers(), sums.stride, by_start)
    kernel, sizes = _lstm_backward if network.kind == "lstm" else gru_backward, _sizes(network, block)
    kernel[(blocks, seeds)](*given, samples, steps, COMPARED=False, **sizes, **_options(network, warps))
    return sums.total(), by_start, None


def holds(network: GatedNetwork) -> bool:
    """Return whether the programs have room for the network; more than 64 units take more registers than there are."""
    return fits(_widest(network), SHARED[network.kind], network.weight.device)


def takes_transposed(network: GatedNetwork, forcing: None) -> bool:
    """Return False: no matrix may be transposed."""
    return False


def compare(
    network: GatedNetwork, start: Tensor, data: Tensor, steps: int, forcing: None,
    *, block: int = BLOCK, warps: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Return the mean squared error of each seed, `(K,)`, and the states and errors that `pull_back` needs."""
    if triton_lstm_vectors.applies(network):
        return triton_lstm_vectors.compare(network, start, data, steps)
    seeds, samples, size = start.shape
    states, blocks = start.new_empty(seeds, steps + 1, size, samples), triton.cdiv(samples, block)
    compared = Compared(data, start, steps, blocks=blocks)
    given = (*_filled(network, start), start, states, compared.errors, start, *compared.arguments(), samples, steps)
    kernel, sizes = _lstm_forward if network.kind == "lstm" else gru_forward, _sizes(network, block)
    kernel[(blocks, seeds)](*given, COMPARED=True, **sizes, **_options(network, warps))
    return compared.total(), states, compared.errors


def pull_back(
    network: GatedNetwork, states: Tensor, errors: Tensor, forcing: None, of_errors: Tensor, terms: int,
    *, block: int = BLOCK, warps: int | None = None,
) -> tuple[tuple[Tensor | None, ...], Tensor, None]:  # fmt: skip
    """Return gradients by the coefficients and the start, from those by the error of each seed, `(K,)`."""
    if triton_lstm_vectors.applies(network):
        return triton_lstm_vectors.pull_back(network, states, errors, of_errors, terms)
    seeds, steps, _, samples = errors.shape
    blocks, by_start = triton.cdiv(samples, block), states.new_empty(seeds, samples, states.shape[2])
    sums, scale = BlockSums(network.coefficients, blocks), (of_errors, of_errors.stride(0), terms)
    given = (*_filled(network, by_start), states, errors, *scale, *sums.pointers(), sums.stride, by_start)
    kernel, sizes = _lstm_backward if network.kind == "lstm" else gru_backward, _sizes(network, block)
    kernel[(blocks, seeds)](*given, samples, steps, COMPARED=True, **sizes, **_options(network, warps))
    return sums.total(), by_start, None


def _filled(network: GatedNetwork, like: Tensor) -> tuple[Tensor, ...]:
    """The coefficients; any tensor where there is none, which the kernels do not read."""
    return tuple(like if one is None else one for one in network.coefficients)


def _widest(network: GatedNetwork) -> int:
    return max(network.weight.shape[-1], network.dimension)


def _options(network: GatedNetwork, warps: int | None) -> dict[str, Any]:
    return options(warps or (WARPS if _widest(network) <= SMALL else MOST_WARPS))


def _sizes(network: GatedNetwork, block: int) -> dict[str, Any]:
    units, seen = network.weight.shape[-1], network.dimension
    return {
        "M": units, "D": seen, "MP": power_of_two(units), "DP": power_of_two(seen), "BLOCK": block,
        "HAS_P": network.feedback is not None, "HAS_D": network.offset is not None,
    }  # fmt: skip


@triton.jit
def _lstm_forward(
    weight, bias, candidate, feedback, c, d, start, states, observed, last,
    data, data_k, data_b, data_t, data_d, segments, length, terms, sums, samples, steps, COMPARED: tl.constexpr,
    M: tl.constexpr, D: tl.constexpr, MP: tl.constexpr, DP: tl.constexpr, BLOCK: tl.constexpr,
    HAS_P: tl.constexpr, HAS_D: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(1).to(tl.int64)
    m, r = tl.arange(0, MP), tl.arange(0, DP)
    ours = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    s = tl.minimum(ours, samples - 1)  # past the last sample the last is repeated
    inside, written = (m < M)[:, None], (m < M)[:, None] & (ours < samples)[None, :]
    at = start + (k * samples + s)[None, :] * 2 * M + m[:, None]
    h, cell = tl.load(at, mask=inside, other=0.0), tl.load(at + M, mask=inside, other=0.0)
    wi, bi = matrix(weight, k * 4, M, M, m, m, True, h.dtype), vector(bias, k * 4, M, m, True, h)
    wf, bf = matrix(weight, k * 4 + 1, M, M, m, m, True, h.dtype), vector(bias, k * 4 + 1, M, m, True, h)
    wg, bg = matrix(weight, k * 4 + 2, M, M, m, m, True, h.dtype), vector(bias, k * 4 + 2, M, m, True, h)
    wo, bo = matrix(weight, k * 4 + 3, M, M, m, m, True, h.dtype), vector(bias, k * 4 + 3, M, m, True, h)
    readout = matrix(c, k, D, M, r, m, True, h.dtype)
    offset = vector(d, k, D, r, HAS_D, tl.zeros((DP, BLOCK), h.dtype))
    kept = states + k * (steps + 1) * 2 * M * samples + m[:, None] * samples + s[None, :]
    real, loss = (ours < samples)[None, :], tl.zeros((DP, BLOCK), h.dtype)
    tl.store(kept, h, mask=written)
    tl.store(kept + M * samples, cell, mask=written)
    for t in range(steps):
        i, f = tl.sigmoid(dot(wi, h) + bi), tl.sigmoid(dot(wf, h) + bf)
        g, o = tanh(dot(wg, h) + bg), tl.sigmoid(dot(wo, h) + bo)
        cell = f * cell + i * g
        h = o * tanh(cell)
        ahead = kept + (t + 1) * 2 * M * samples
        tl.store(ahead, h, mask=written)
        tl.store(ahead + M * samples, cell, mask=written)
        shown = dot(readout, h) + offset
        if COMPARED:
            error = kept_error(shown, r, k, s, real, t, data, data_k, data_b, data_t, data_d, segments, length,
                               observed, samples, steps, D)  # fmt: skip
            loss += error * error
        else:
            place = ((k * samples + s)[None, :] * steps + t) * D + r[:, None]
            tl.store(observed + place, shown, mask=(r < D)[:, None] & real)
    if COMPARED:
        tl.store(sums + k * tl.num_programs(0) + tl.program_id(0), tl.sum(tl.sum(loss, 1), 0) / terms)
    else:
        at = last + (k * samples + s)[None, :] * 2 * M + m[:, None]
        tl.store(at, h, mask=written)
        tl.store(at + M, cell, mask=written)


@triton.jit
def _lstm_backward(
    weight, bias, candidate, feedback, c, d, states, of_observed, of_last, of_last_k, terms,
    by_weight, by_bias, by_candidate, by_feedback, by_c, by_d, stride, by_start, samples, steps, COMPARED: tl.constexpr,
    M: tl.constexpr, D: tl.constexpr, MP: tl.constexpr, DP: tl.constexpr, BLOCK: tl.constexpr,
    HAS_P: tl.constexpr, HAS_D: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(1).to(tl.int64)
    m, r = tl.arange(0, MP), tl.arange(0, DP)
    ours = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    s = tl.minimum(ours, samples - 1)
    inside, written = (m < M)[:, None], (m < M)[:, None] & (ours < samples)[None, :]
    if COMPARED:  # then `of_last` holds the gradient by the error of each seed
        scale = 2 * tl.load(of_last + k * of_last_k) / terms
        gh, gc = tl.zeros((MP, BLOCK), states.dtype.element_ty), tl.zeros((MP, BLOCK), states.dtype.element_ty)
    else:
        scale, at = 1.0, of_last + (k * samples + s)[None, :] * 2 * M + m[:, None]
        gh, gc = tl.load(at, mask=written, other=0.0), tl.load(at + M, mask=written, other=0.0)
    wi, bi = matrix(weight, k * 4, M, M, m, m, True, gh.dtype), vector(bias, k * 4, M, m, True, gh)
    wf, bf = matrix(weight, k * 4 + 1, M, M, m, m, True, gh.dtype), vector(bias, k * 4 + 1, M, m, True, gh)
    wg, bg = matrix(weight, k * 4 + 2, M, M, m, m, True, gh.dtype), vector(bias, k * 4 + 2, M, m, True, gh)
    wo, bo = matrix(weight, k * 4 + 3, M, M, m, m, True, gh.dtype), vector(bias, k * 4 + 3, M, m, True, gh)
    readout = matrix(c, k, D, M, r, m, True, gh.dtype)
    sum_wi, sum_wf = tl.zeros((MP, MP), gh.dtype), tl.zeros((MP, MP), gh.dtype)
    sum_wg, sum_wo = tl.zeros((MP, MP), gh.dtype), tl.zeros((MP, MP), gh.dtype)
    sum_bi, sum_bf, sum_bg, sum_bo = tl.zeros_like(gh), tl.zeros_like(gh), tl.zeros_like(gh), tl.zeros_like(gh)
    sum_c, sum_d = tl.zeros((DP, MP), gh.dtype), tl.zeros((DP, BLOCK), gh.dtype)
    kept = states + k * (steps + 1) * 2 * M * samples + m[:, None] * samples + s[None, :]
    real = (ours < samples)[None, :]
    for back in range(steps):
        t = steps - 1 - back
        e = pull_of(of_observed, scale, r, k, s, real, t, samples, steps, D, COMPARED)
        ahead = kept + (t + 1) * 2 * M * samples  # loaded again: carried on, they made Triton 3.9's compiler abort
        sum_c += dot(e, tl.trans(tl.load(ahead, mask=inside, other=0.0)))
        sum_d += e
        gh += dot(tl.trans(readout), e)
        h = tl.load(kept + t * 2 * M * samples, mask=inside, other=0.0)
        cell = tl.load(kept + (t * 2 + 1) * M * samples, mask=inside, other=0.0)
        i, f = tl.sigmoid(dot(wi, h) + bi), tl.sigmoid(dot(wf, h) + bf)
        g, o = tanh(dot(wg, h) + bg), tl.sigmoid(dot(wo, h) + bo)
        squashed = tanh(tl.load(ahead + M * samples, mask=inside, other=0.0))
        gc += gh * o * (1 - squashed * squashed)
        go, gf = gh * squashed * o * (1 - o), gc * cell * f * (1 - f)
        gi, gg = gc * g * i * (1 - i), gc * i * (1 - g * g)
        row = tl.trans(h)
        sum_wi += dot(gi, row)
        sum_wf += dot(gf, row)
        sum_wg += dot(gg, row)
        sum_wo += dot(go, row)
        sum_bi += gi
        sum_bf += gf
        sum_bg += gg
        sum_bo += go
        gh = dot(tl.trans(wi), gi) + dot(tl.trans(wf), gf) + dot(tl.trans(wg), gg) + dot(tl.trans(wo), go)
        gc = gc * f
    at = by_start + (k * samples + s)[None, :] * 2 * M + m[:, None]
    tl.store(at, gh, mask=written)
    tl.store(at + M, gc, mask=written)
    part = tl.program_id(0).to(tl.int64) * stride
    store_gate(by_weight + part, by_bias + part, k * 4, sum_wi, sum_bi, m, M)
    store_gate(by_weight + part, by_bias + part, k * 4 + 1, sum_wf, sum_bf, m, M)
    store_gate(by_weight + part, by_bias + part, k * 4 + 2, sum_wg, sum_bg, m, M)
    store_gate(by_weight + part, by_bias + part, k * 4 + 3, sum_wo, sum_bo, m, M)
    store_readout(by_c + part, by_d + part, k, sum_c, sum_d, r, m, D, M, HAS_D)
