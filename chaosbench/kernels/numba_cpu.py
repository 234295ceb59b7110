"""The unroll and its gradients on one CPU core, compiled by numba: a vector of samples at a time.

States are kept as `(K, blocks, M, T + 1, width)`: `width` samples lie side by side and a unit's orbit behind them, so
that gradients of weights are products of long rows. Rows are padded to a multiple of four. The last block repeats
its last sample; the copies get no gradient.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from chaosbench.kernels.entry import entry
from chaosbench.kernels.lanes import pointer
from chaosbench.kernels.network import Forcing, Network
from chaosbench.kernels.numba_products import add_outer, add_row_products, add_sums, codes, compiled
from chaosbench.kernels.numba_rows import (
    clear_rows,
    copy_in,
    copy_out,
    copy_rows,
    from_rows,
    into_rows,
    mute_copies,
    padded,
)
from chaosbench.kernels.numba_steps import (
    CHUNK,
    KEPT,
    Plan,
    Room,
    force,
    force_back,
    is_forced,
    observe,
    observe_back,
    states_at,
    step,
    step_back,
)


def forward(network: Network, start: Tensor, steps: int, forcing: Forcing | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return observations `(K, B, T, D)`, the last state `(K, B, M)`, and the states that `backward` needs."""
    plan, width = _plan(network, start, steps, forcing), 64 // start.element_size()
    shape = (plan.seeds, -(-plan.samples // width), -(-plan.units // 4) * 4, (steps + 1) | 1, width)
    states, last = start.new_empty(shape), torch.empty_like(start)
    observed = start.new_empty(*start.shape[:2], steps, network.dimension)
    coefficients, signals = _flat(network.coefficients, start), _flat_forcing(forcing, start, steps)
    _forward(plan, *_room(plan, start), coefficients, signals, *_flat((start, states, observed, last), start))
    return observed, last, states


def backward(
    network: Network, states: Tensor, forcing: Forcing | None, of_observed: Tensor, of_last: Tensor
) -> tuple[tuple[Tensor | None, ...], Tensor, Tensor | None]:
    """Return gradients by the coefficients, the start and the signals, from those by observations and last state."""
    steps = of_observed.shape[2]
    plan = _plan(network, of_last, steps, forcing)
    given = _flat(network.coefficients, of_last), _flat_forcing(forcing, of_last, steps)
    by_coefficients = tuple(None if one is None else torch.empty_like(one) for one in network.coefficients)
    by_start, by_signals = torch.empty_like(of_last), None if forcing is None else torch.zeros_like(forcing.signals)
    found = _flat(by_coefficients, of_last), _flat((by_start, by_signals), of_last)
    _backward(plan, *_room(plan, of_last), *given, *_flat((states, of_observed, of_last), of_last), *found)
    return by_coefficients, by_start, by_signals


def _plan(network: Network, start: Tensor, steps: int, forcing: Forcing | None) -> Plan:
    forced, interval = 0, 0
    if forcing is not None:
        forced, interval = forcing.signals.shape[-1], forcing.interval if forcing.weights is None else 0
    linear = network.hidden - network.rectified if network.activation == "almost_linear" else 0
    matrices = (int(one is not None) for one in (network.outward, network.inward, network.readout))
    sizes = (start.shape[0], start.shape[1], steps, start.shape[2], network.hidden, network.dimension, forced)
    return Plan(*sizes, interval, codes[network.activation], linear, *matrices, 64 // start.element_size())


def _room(plan: Plan, like: Tensor) -> tuple[Room, Any]:
    """Return offsets into the work array, each at a cache line, and the array itself, which torch aligns."""
    units, hidden, seen = (-(-size // 4) * 4 for size in (plan.units, plan.hidden, plan.seen))
    width = 64 // like.element_size()
    coefficients = [units, units * hidden, hidden * units, units, hidden, seen * units, seen]
    rows = [units, hidden, units, seen, *(KEPT * size for size in (units, units, hidden, hidden, seen))]
    sizes = [-(-size // width) * width for size in coefficients] * 2 + [size * width for size in rows]
    *begins, end = accumulate(sizes, initial=0)
    return Room(*begins), like.new_empty(end).numpy()


def _flat(tensors: Sequence[Tensor | None], like: Tensor) -> tuple[Any, ...]:
    """Flat arrays that share the tensors' memory; empty ones for None."""
    return tuple((like.new_empty(0) if one is None else one.detach()).view(-1).numpy() for one in tensors)


def _flat_forcing(forcing: Forcing | None, like: Tensor, steps: int) -> tuple[Any, ...]:
    if forcing is None:
        return _flat((None, None), like)
    weights = forcing.weights
    if weights is not None:
        weights = weights.expand(like.shape[0], like.shape[1], steps - 1).contiguous()
    return _flat((forcing.signals, weights), like)


@entry
def _forward(plan, room, work, coefficients, forcing, start, states, observed, last):
    pointers = pointer(work), (pointer(forcing[0]), pointer(forcing[1])), pointer(states)
    for k in range(plan.seeds):
        _pack(plan, room, pointer(work), coefficients, k)
        for first in range(0, plan.samples, plan.width):
            _block_forward(plan, room, pointers, (pointer(start), pointer(observed), pointer(last)), (k, first))


@compiled
def _block_forward(plan, room, pointers, others, block):
    (work, forcing, states), (start, observed, last), (k, first) = pointers, others, block
    samples, steps, width, rows = plan.samples, plan.steps, plan.width, padded(plan.units)
    base, stride = states_at(plan, k, first)
    clear_rows(states, (base, stride), rows)
    into_rows(states, (base, stride), start, (k, first, samples, 1, 0, width), plan.units)
    for t in range(steps):
        here, ahead = (base + t * width, stride), (base + (t + 1) * width, stride)
        if is_forced(plan, t):
            clear_rows(work, (room.drawn, width), rows)
            force(plan, work, (room.drawn, width), states, here, forcing, (k, first, t))
            step(plan, room, work, work, (room.drawn, width), states, ahead)
        else:
            step(plan, room, work, states, here, states, ahead)
        observe(plan, room, work, states, ahead, observed, (k, first, samples, steps, t, width))
    from_rows(last, (k, first, samples, 1, 0, width), states, (base + steps * width, stride), plan.units)


@compiled
def _pack(plan, room, work, coefficients, k):
    units, hidden, seen = plan.units, plan.hidden, plan.seen
    a, w1, w2, h1, h2, c, d = coefficients
    copy_in(work, room.diagonal, pointer(a), k, (1, units, a.size))
    copy_in(work, room.outward, pointer(w1), k, (units, hidden, w1.size))
    copy_in(work, room.inward, pointer(w2), k, (hidden, units, w2.size))
    copy_in(work, room.bias, pointer(h1), k, (1, units, h1.size))
    copy_in(work, room.threshold, pointer(h2), k, (1, hidden, h2.size))
    copy_in(work, room.readout, pointer(c), k, (seen, units, c.size))
    copy_in(work, room.offset, pointer(d), k, (1, seen, d.size))


@compiled
def _unpack(plan, room, work, gradients, k):
    units, hidden, seen = plan.units, plan.hidden, plan.seen
    a, w1, w2, h1, h2, c, d = gradients
    copy_out(pointer(a), work, room.by_diagonal, k, (1, units, a.size))
    copy_out(pointer(w1), work, room.by_outward, k, (units, hidden, w1.size))
    copy_out(pointer(w2), work, room.by_inward, k, (hidden, units, w2.size))
    copy_out(pointer(h1), work, room.by_bias, k, (1, units, h1.size))
    copy_out(pointer(h2), work, room.by_threshold, k, (1, hidden, h2.size))
    copy_out(pointer(c), work, room.by_readout, k, (seen, units, c.size))
    copy_out(pointer(d), work, room.by_offset, k, (1, seen, d.size))


@entry
def _backward(plan, room, work, coefficients, forcing, states, of_observed, of_last, by_coefficients, by_others):
    pointers = pointer(work), (pointer(forcing[0]), pointer(forcing[1])), pointer(states)
    given, found = (pointer(of_observed), pointer(of_last)), (pointer(by_others[0]), pointer(by_others[1]))
    for k in range(plan.seeds):
        _pack(plan, room, pointer(work), coefficients, k)
        for i in range(room.by_diagonal, room.gradient):
            work[i] = 0
        clear_rows(pointer(work), (room.threshold_sums, plan.width), padded(plan.hidden))
        for first in range(0, plan.samples, plan.width):
            _block_back(plan, room, pointers, given, found, (k, first))
        add_sums(pointer(work), room.by_threshold, (room.threshold_sums, plan.width), (plan.hidden, 1, plan.width))
        _unpack(plan, room, pointer(work), by_coefficients, k)


@compiled
def _block_back(plan, room, pointers, given, found, block):
    (work, forcing, states), (of_observed, of_last), (by_start, by_signals), (k, first) = pointers, given, found, block
    where, gradient_at = (k, first, plan.samples, 1, 0, plan.width), (room.gradient, plan.width)
    clear_rows(work, gradient_at, padded(plan.units))
    into_rows(work, gradient_at, of_last, where, plan.units)
    mute_copies(work, gradient_at, where, plan.units)
    end = plan.steps
    while end > 0:
        span = (k, first, max(0, end - CHUNK), end)
        _chunk_back(plan, room, work, forcing, states, of_observed, by_signals, span)
        _add_chunk(plan, room, work, states, span)
        end = span[2]
    from_rows(by_start, where, work, gradient_at, plan.units)


@compiled
def _chunk_back(plan, room, work, forcing, states, of_observed, by_signals, span):
    """Go back through the steps of a chunk and keep the rows of which gradients of weights are products."""
    (k, first, begin, end), width, kept = span, plan.width, KEPT * plan.width
    base, stride = states_at(plan, k, first)
    for t in range(end - 1, begin - 1, -1):
        u, here, where = (t - begin) * width, (base + t * width, stride), (k, first, plan.samples, plan.steps, t, width)
        into_rows(work, (room.by_shown + u, kept), of_observed, where, plan.seen)
        mute_copies(work, (room.by_shown + u, kept), where, plan.seen)
        observe_back(plan, room, work, u)
        copy_rows(work, (room.by_states + u, kept), work, (room.gradient, width), plan.units)
        if is_forced(plan, t):
            force(plan, work, (room.sources + u, kept), states, here, forcing, (k, first, t))
        else:
            copy_rows(work, (room.sources + u, kept), states, here, plan.units)
        step_back(plan, room, work, u)
        if is_forced(plan, t):
            force_back(plan, work, room.gradient, by_signals, forcing[1], (k, first, t))


@compiled
def _add_chunk(plan, room, work, states, span):
    """Add a chunk's products to the gradients of the coefficients."""
    (base, stride), width, steps = states_at(plan, span[0], span[1]), plan.width, span[3] - span[2]
    units, hidden, seen, kept = padded(plan.units), padded(plan.hidden), padded(plan.seen), KEPT * width
    by_states, sources = (room.by_states, kept), (room.sources, kept)
    add_row_products(work, room.by_diagonal, by_states, sources, (plan.units, steps, width))
    add_sums(work, room.by_bias, by_states, (plan.units, steps, width))
    add_sums(work, room.by_offset, (room.by_shown, kept), (plan.seen, steps, width))
    if plan.outward:
        sizes = (units, hidden, steps, width)
        add_outer(work, (room.by_outward, hidden), by_states, work, (room.active, kept), sizes)
    if plan.inward:
        sizes = (hidden, units, steps, width)
        add_outer(work, (room.by_inward, units), (room.inside, kept), work, sources, sizes)
    if plan.readout:
        sizes, ahead = (seen, units, steps, width), (base + (span[2] + 1) * width, stride)
        add_outer(work, (room.by_readout, units), (room.by_shown, kept), states, ahead, sizes)
