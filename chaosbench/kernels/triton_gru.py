"""The kernels of GRUs, which `triton_gated` launches."""

import triton
import triton.language as tl

from chaosbench.kernels.triton_parts import dot, kept_error, matrix, pull_of, store_gate, store_readout, tanh, vector


@triton.jit
def gru_forward(
    weight, bias, candidate, feedback, c, d, start, states, observed, last,
    data, data_k, data_b, data_t, data_d, segments, length, terms, sums, samples, steps, COMPARED: tl.constexpr,
    M: tl.constexpr, D: tl.constexpr, MP: tl.constexpr, DP: tl.constexpr, BLOCK: tl.constexpr,
    HAS_P: tl.constexpr, HAS_D: tl.constexpr,
):  # fmt: skip
    """Unroll a block of samples of a seed, and store its states, and what it shows or its errors."""
    k = tl.program_id(1).to(tl.int64)
    m, r = tl.arange(0, MP), tl.arange(0, DP)
    ours = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    s = tl.minimum(ours, samples - 1)
    inside, written = (m < M)[:, None], (m < M)[:, None] & (ours < samples)[None, :]
    h = tl.load(start + (k * samples + s)[None, :] * M + m[:, None], mask=inside, other=0.0)
    wr, br = matrix(weight, k * 3, M, M, m, m, True, h.dtype), vector(bias, k * 3, M, m, True, h)
    wu, bu = matrix(weight, k * 3 + 1, M, M, m, m, True, h.dtype), vector(bias, k * 3 + 1, M, m, True, h)
    wn, bn = matrix(weight, k * 3 + 2, M, M, m, m, True, h.dtype), vector(bias, k * 3 + 2, M, m, True, h)
    shift, own = vector(candidate, k, M, m, True, h), matrix(feedback, k, M, M, m, m, HAS_P, h.dtype)
    readout = matrix(c, k, D, M, r, m, True, h.dtype)
    offset = vector(d, k, D, r, HAS_D, tl.zeros((DP, BLOCK), h.dtype))
    kept = states + k * (steps + 1) * M * samples + m[:, None] * samples + s[None, :]
    real, loss = (ours < samples)[None, :], tl.zeros((DP, BLOCK), h.dtype)
    tl.store(kept, h, mask=written)
    for t in range(steps):
        reset, u = tl.sigmoid(dot(wr, h) + br), tl.sigmoid(dot(wu, h) + bu)
        argument = bn + reset * (dot(wn, h) + shift)
        if HAS_P:
            argument += dot(own, h)
        n = tanh(argument)
        h = n + u * (h - n)
        tl.store(kept + (t + 1) * M * samples, h, mask=written)
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
        tl.store(last + (k * samples + s)[None, :] * M + m[:, None], h, mask=written)


@triton.jit
def gru_backward(
    weight, bias, candidate, feedback, c, d, states, of_observed, of_last, of_last_k, terms,
    by_weight, by_bias, by_candidate, by_feedback, by_c, by_d, stride, by_start, samples, steps, COMPARED: tl.constexpr,
    M: tl.constexpr, D: tl.constexpr, MP: tl.constexpr, DP: tl.constexpr, BLOCK: tl.constexpr,
    HAS_P: tl.constexpr, HAS_D: tl.constexpr,
):  # fmt: skip
    """Follow the steps backwards, and store the gradients of a block of samples."""
    k = tl.program_id(1).to(tl.int64)
    m, r = tl.arange(0, MP), tl.arange(0, DP)
    ours = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    s = tl.minimum(ours, samples - 1)
    inside, written = (m < M)[:, None], (m < M)[:, None] & (ours < samples)[None, :]
    if COMPARED:
        scale = 2 * tl.load(of_last + k * of_last_k) / terms
        gh = tl.zeros((MP, BLOCK), states.dtype.element_ty)
    else:
        scale = 1.0
        gh = tl.load(of_last + (k * samples + s)[None, :] * M + m[:, None], mask=written, other=0.0)
    wr, br = matrix(weight, k * 3, M, M, m, m, True, gh.dtype), vector(bias, k * 3, M, m, True, gh)
    wu, bu = matrix(weight, k * 3 + 1, M, M, m, m, True, gh.dtype), vector(bias, k * 3 + 1, M, m, True, gh)
    wn, bn = matrix(weight, k * 3 + 2, M, M, m, m, True, gh.dtype), vector(bias, k * 3 + 2, M, m, True, gh)
    shift, own = vector(candidate, k, M, m, True, gh), matrix(feedback, k, M, M, m, m, HAS_P, gh.dtype)
    readout = matrix(c, k, D, M, r, m, True, gh.dtype)
    sum_wr, sum_wu = tl.zeros((MP, MP), gh.dtype), tl.zeros((MP, MP), gh.dtype)
    sum_wn, sum_own = tl.zeros((MP, MP), gh.dtype), tl.zeros((MP, MP), gh.dtype)
    sum_br, sum_bu, sum_bn, sum_shift = tl.zeros_like(gh), tl.zeros_like(gh), tl.zeros_like(gh), tl.zeros_like(gh)
    sum_c, sum_d = tl.zeros((DP, MP), gh.dtype), tl.zeros((DP, BLOCK), gh.dtype)
    kept = states + k * (steps + 1) * M * samples + m[:, None] * samples + s[None, :]
    real = (ours < samples)[None, :]
    h_ahead = tl.load(kept + steps * M * samples, mask=inside, other=0.0)
    for back in range(steps):
        t = steps - 1 - back
        e = pull_of(of_observed, scale, r, k, s, real, t, samples, steps, D, COMPARED)
        sum_c += dot(e, tl.trans(h_ahead))
        sum_d += e
        gh += dot(tl.trans(readout), e)
        h = tl.load(kept + t * M * samples, mask=inside, other=0.0)
        reset, u = tl.sigmoid(dot(wr, h) + br), tl.sigmoid(dot(wu, h) + bu)
        term = dot(wn, h) + shift
        argument = bn + reset * term
        if HAS_P:
            argument += dot(own, h)
        n = tanh(argument)
        gu = gh * (h - n) * u * (1 - u)
        gn = gh * (1 - u) * (1 - n * n)
        gr, gq = gn * term * reset * (1 - reset), gn * reset
        row = tl.trans(h)
        sum_wr += dot(gr, row)
        sum_wu += dot(gu, row)
        sum_wn += dot(gq, row)
        sum_br += gr
        sum_bu += gu
        sum_bn += gn
        sum_shift += gq
        gh = gh * u + dot(tl.trans(wr), gr) + dot(tl.trans(wu), gu) + dot(tl.trans(wn), gq)
        if HAS_P:
            sum_own += dot(gn, row)
            gh += dot(tl.trans(own), gn)
        h_ahead = h
    tl.store(by_start + (k * samples + s)[None, :] * M + m[:, None], gh, mask=written)
    part = tl.program_id(0).to(tl.int64) * stride
    store_gate(by_weight + part, by_bias + part, k * 3, sum_wr, sum_br, m, M)
    store_gate(by_weight + part, by_bias + part, k * 3 + 1, sum_wu, sum_bu, m, M)
    store_gate(by_weight + part, by_bias + part, k * 3 + 2, sum_wn, sum_bn, m, M)
    tl.store(by_candidate + part + k * M + m, tl.sum(sum_shift, 1), mask=m < M)
    if HAS_P:
        square = (m < M)[:, None] & (m < M)[None, :]
        tl.store(by_feedback + part + k * M * M + m[:, None] * M + m[None, :], sum_own, mask=square)
    store_readout(by_c + part, by_d + part, k, sum_c, sum_d, r, m, D, M, HAS_D)
