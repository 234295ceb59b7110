"""The squared error of LSTMs of up to 32 units, and its gradients, a sample at a time on a warp.

As in `triton_vectors`, threads keep columns of matrices in registers. Those of all gates, transposed or not, and their
gradients would not fit in together, so the forward pass stores what the gates were.
"""

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from chaosbench.kernels.gated import GatedNetwork
from chaosbench.kernels.triton_parts import BlockSums, options, power_of_two, samples_of_a_warp, tanh

MOST_UNITS, MOST_SEEN = 32, 4  # M and D
KEPT = 6  # h, c and the gates i, f, g, o of the step that follows


def applies(network: GatedNetwork) -> bool:
    """Return whether the kernels compute the error of this network."""
    small = network.weight.shape[2] <= MOST_UNITS and network.dimension <= MOST_SEEN
    return network.kind == "lstm" and small and network.offset is None


def compare(
    network: GatedNetwork, start: Tensor, data: Tensor, steps: int, *, each: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the error of each seed, `(K,)`, and the states and errors that `pull_back` needs."""
    (seeds, samples, _), units = start.shape, network.weight.shape[2]
    each = each or samples_of_a_warp(seeds, samples)
    grid = triton.cdiv(samples, each), seeds
    states = start.new_empty(seeds, samples, steps + 1, KEPT, units)
    errors, sums = start.new_empty(seeds, samples, steps, data.shape[3]), start.new_empty(seeds, grid[0])
    compared = data, *data.stride(), samples // data.shape[1], data.shape[2], data[0].numel()
    turned = network.weight.unflatten(1, (4, units)).mT.contiguous()
    given = (turned, network.bias, network.readout, start, states, *compared, errors, sums, samples, steps, each)
    _forward[grid](*given, **_sizes(network), **options(1))
    return sums.sum(dim=1), states, errors


def pull_back(
    network: GatedNetwork, states: Tensor, errors: Tensor, of_errors: Tensor, terms: int, *, each: int | None = None
) -> tuple[tuple[Tensor | None, ...], Tensor, None]:
    """Return gradients by the coefficients and the start, from those by the errors of the seeds, `(K,)`."""
    seeds, samples, steps, _ = errors.shape
    each = each or samples_of_a_warp(seeds, samples)
    grid, by_start = (triton.cdiv(samples, each), seeds), states.new_empty(seeds, samples, 2 * states.shape[4])
    sums = BlockSums(network.coefficients, grid[0])
    by_weight, by_bias, _, _, by_c, _ = sums.pointers()
    given = network.weight, network.readout, states, errors, of_errors, of_errors.stride(0), terms
    results = by_weight, by_bias, by_c, sums.stride, by_start, samples, steps, each
    _backward[grid](*given, *results, **_sizes(network), **options(1))
    return sums.total(), by_start, None


def _sizes(network: GatedNetwork) -> dict[str, Any]:
    units = network.weight.shape[2]
    return {"M": units, "D": network.dimension, "P": power_of_two(units), "KEPT": KEPT}


@triton.jit
def _square(data, at, n, m, M: tl.constexpr):
    """A matrix with the columns `m`, one per thread."""
    inside = (n < M)[:, None] & (m < M)[None, :]
    return tl.load(data + at * M * M + n[:, None] * M + m[None, :], mask=inside, other=0.0)


@triton.jit
def _rows(c, k, m, M: tl.constexpr, D: tl.constexpr):
    """The rows of the read-out, each with a number per unit."""
    found = ()
    for j in tl.static_range(D):
        found = found + (tl.load(c + (k * D + j) * M + m, mask=m < M, other=0.0),)
    return found


@triton.jit
def _forward(
    turned, bias, c, start, states, data, data_k, data_b, data_t, data_d, segments, length, terms,
    errors, sums, samples, steps, each, M: tl.constexpr, D: tl.constexpr, P: tl.constexpr, KEPT: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(1).to(tl.int64)
    m, n = tl.arange(0, P), tl.arange(0, P)
    wi, wf = _square(turned, k * 4, n, m, M), _square(turned, k * 4 + 1, n, m, M)
    wg, wo = _square(turned, k * 4 + 2, n, m, M), _square(turned, k * 4 + 3, n, m, M)
    of_i, inside = bias + k * 4 * M + m, m < M
    bi, bf = tl.load(of_i, mask=inside, other=0.0), tl.load(of_i + M, mask=inside, other=0.0)
    bg, bo = tl.load(of_i + 2 * M, mask=inside, other=0.0), tl.load(of_i + 3 * M, mask=inside, other=0.0)
    readout, loss, first = _rows(c, k, m, M, D), tl.sum(tl.zeros_like(bi), axis=0), tl.program_id(0) * each
    for s in range(first, tl.minimum(first + each, samples)):
        at = start + (k * samples + s) * 2 * M + m
        h, cell = tl.load(at, mask=inside, other=0.0), tl.load(at + M, mask=inside, other=0.0)
        kept, shown = states + (k * samples + s) * (steps + 1) * KEPT * M + m, errors + (k * samples + s) * steps * D
        seen, moment = data + k * data_k + (s // segments) * data_b, (s % segments) * steps
        tl.store(kept, h, mask=inside)
        tl.store(kept + M, cell, mask=inside)
        for t in range(steps):
            i, f = tl.sigmoid(tl.sum(wi * h[:, None], axis=0) + bi), tl.sigmoid(tl.sum(wf * h[:, None], axis=0) + bf)
            g, o = tanh(tl.sum(wg * h[:, None], axis=0) + bg), tl.sigmoid(tl.sum(wo * h[:, None], axis=0) + bo)
            cell = f * cell + i * g
            h = tl.where(inside, o * tanh(cell), 0.0)
            tl.store(kept + 2 * M, i, mask=inside)
            tl.store(kept + 3 * M, f, mask=inside)
            tl.store(kept + 4 * M, g, mask=inside)
            tl.store(kept + 5 * M, o, mask=inside)
            kept += KEPT * M
            tl.store(kept, h, mask=inside)
            tl.store(kept + M, cell, mask=inside)
            live = moment + t < length
            for j in tl.static_range(D):
                x = tl.load(seen + (moment + t) * data_t + j * data_d, mask=live, other=0.0)
                error = tl.where(live, tl.sum(readout[j] * h, axis=0) - x, 0.0)
                tl.store(shown + t * D + j, error)
                loss += error * error
    tl.store(sums + k * tl.num_programs(0) + tl.program_id(0), loss / terms)


@triton.jit
def _backward(
    weight, c, states, errors, of_errors, of_errors_k, terms, by_weight, by_bias, by_c, stride, by_start,
    samples, steps, each, M: tl.constexpr, D: tl.constexpr, P: tl.constexpr, KEPT: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(1).to(tl.int64)
    m, n = tl.arange(0, P), tl.arange(0, P)
    inside = m < M
    wi, wf = _square(weight, k * 4, n, m, M), _square(weight, k * 4 + 1, n, m, M)
    wg, wo = _square(weight, k * 4 + 2, n, m, M), _square(weight, k * 4 + 3, n, m, M)
    readout, scale = _rows(c, k, m, M, D), 2 * tl.load(of_errors + k * of_errors_k) / terms
    zero, square = tl.zeros((P,), states.dtype.element_ty), tl.zeros((P, P), states.dtype.element_ty)
    sum_wi, sum_wf, sum_wg, sum_wo = square, square, square, square
    sum_bi, sum_bf, sum_bg, sum_bo, sum_c = zero, zero, zero, zero, ()
    for _ in tl.static_range(D):
        sum_c = sum_c + (zero,)
    first = tl.program_id(0) * each
    for s in range(first, tl.minimum(first + each, samples)):
        kept = states + ((k * samples + s) * (steps + 1) + steps) * KEPT * M + m
        shown = errors + (k * samples + s) * steps * D
        h_ahead, cell_ahead = tl.load(kept, mask=inside, other=0.0), tl.load(kept + M, mask=inside, other=0.0)
        gh, gc = zero, zero
        for back in range(steps):
            t = steps - 1 - back
            kept -= KEPT * M
            h, cell = tl.load(kept, mask=inside, other=0.0), tl.load(kept + M, mask=inside, other=0.0)
            i, f = tl.load(kept + 2 * M, mask=inside, other=0.0), tl.load(kept + 3 * M, mask=inside, other=0.0)
            g, o = tl.load(kept + 4 * M, mask=inside, other=0.0), tl.load(kept + 5 * M, mask=inside, other=0.0)
            of_c = ()
            for j in tl.static_range(D):
                e = scale * tl.load(shown + t * D + j)
                gh += e * readout[j]
                of_c = of_c + (sum_c[j] + e * h_ahead,)
            sum_c = of_c
            squashed = tanh(cell_ahead)
            gc += gh * o * (1 - squashed * squashed)
            go, gf = gh * squashed * o * (1 - o), gc * cell * f * (1 - f)
            gi, gg = gc * g * i * (1 - i), gc * i * (1 - g * g)
            sum_wi += gi[:, None] * h[None, :]
            sum_wf += gf[:, None] * h[None, :]
            sum_wg += gg[:, None] * h[None, :]
            sum_wo += go[:, None] * h[None, :]
            sum_bi += gi
            sum_bf += gf
            sum_bg += gg
            sum_bo += go
            gh = (tl.sum(wi * gi[:, None], axis=0) + tl.sum(wf * gf[:, None], axis=0)) + (
                tl.sum(wg * gg[:, None], axis=0) + tl.sum(wo * go[:, None], axis=0)
            )
            gc = gc * f
            h_ahead, cell_ahead = h, cell
        at = by_start + (k * samples + s) * 2 * M + m
        tl.store(at, gh, mask=inside)
        tl.store(at + M, gc, mask=inside)
    part = tl.program_id(0).to(tl.int64) * stride
    _store(by_weight + part, by_bias + part, k * 4, sum_wi, sum_bi, n, m, M)
    _store(by_weight + part, by_bias + part, k * 4 + 1, sum_wf, sum_bf, n, m, M)
    _store(by_weight + part, by_bias + part, k * 4 + 2, sum_wg, sum_bg, n, m, M)
    _store(by_weight + part, by_bias + part, k * 4 + 3, sum_wo, sum_bo, n, m, M)
    for j in tl.static_range(D):
        tl.store(by_c + part + (k * D + j) * M + m, sum_c[j], mask=inside)


@triton.jit
def _store(by_weight, by_bias, gate, sum_w, sum_b, n, m, M: tl.constexpr):
    square = (n < M)[:, None] & (m < M)[None, :]
    tl.store(by_weight + gate * M * M + n[:, None] * M + m[None, :], sum_w, mask=square)
    tl.store(by_bias + gate * M + m, sum_b, mask=m < M)
