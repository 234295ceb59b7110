"""The unroll and its gradients on one CPU core, compiled by numba: a vector of samples at a time.

States are kept as `(K, blocks, M, T + 1, width)`: `width` samples lie side by side and a unit's orbit behind them, so
that gradients of weights are products of long rows. Rows are padded to a multiple of four. The last block repeats
its last sample; the copies get no gradient.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chaosbench.kernels.entry import entry
from chaosbench.kernels.lanes import load, pointer, total
from chaosbench.kernels.network import Forcing, Network
from chaosbench.kernels.numba_blocks import block_back, block_forward, pack, unpack
from chaosbench.kernels.numba_products import add_sums, codes, compiled
from chaosbench.kernels.numba_rows import clear_rows, padded
from chaosbench.kernels.numba_steps import KEPT, Plan, Room

TAKES_TRANSPOSED = True  # matrices need not be contiguous if their transposes are

Gradients = tuple[tuple[Tensor | None, ...], Tensor, Tensor | None]


def forward(network: Network, start: Tensor, steps: int, forcing: Forcing | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return observations `(K, B, T, D)`, the last state `(K, B, M)`, and the states that `backward` needs."""
    network, width = _dense(network), 64 // start.element_size()
    plan = _plan(network, start, steps, forcing)
    shape = (plan.seeds, -(-plan.samples // width), -(-plan.units // 4) * 4, (steps + 1) | 1, width)
    states, last = start.new_empty(shape), torch.empty_like(start)
    observed = start.new_empty(*start.shape[:2], steps, network.dimension)
    coefficients, signals = _flat(network.coefficients, start), _flat_forcing(forcing, start, steps)
    _forward(plan, *_room(plan, start), coefficients, signals, *_flat((start, states, observed, last), start))
    return observed, last, states


def backward(
    network: Network, states: Tensor, forcing: Forcing | None, of_observed: Tensor, of_last: Tensor
) -> Gradients:
    """Return gradients by the coefficients, the start and the signals, from those by observations and last state."""
    network, steps = _dense(network), of_observed.shape[2]
    plan = _plan(network, of_last, steps, forcing)
    given = _flat(network.coefficients, of_last), _flat_forcing(forcing, of_last, steps)
    gradients, found = _room_for_gradients(network, of_last, forcing)
    _backward(plan, *_room(plan, of_last), *given, *_flat((states, of_observed, of_last), of_last), *found)
    return gradients


def squared_error(
    network: Network, start: Tensor, data: Tensor, steps: int, forcing: Forcing | None
) -> tuple[Tensor, Gradients]:
    """Return the mean squared error of each seed, `(K,)`, and its gradients by coefficients, start and signals.

    Args:
        start: of each segment of `steps` steps of each window, `(K, B segments, M)`.
        data: `(K, B, T, D)`; the last segment may overhang.
    """
    network, (_, windows, length, seen) = _dense(network), data.shape
    flat, spacing = _flat_windows(data)
    plan = _plan(network, start, steps, forcing)._replace(
        segments=start.shape[1] // windows, length=length, spacing=spacing, slope=2 / (windows * length * seen)
    )
    room, work = _room(plan, start)
    states = start.new_empty(-(-plan.units // 4) * 4 * ((steps + 1) | 1) * plan.width)
    errors, lanes = start.new_empty(plan.seeds), np.empty(2 * plan.width + 1, np.int64)
    given = _flat(network.coefficients, start), _flat_forcing(forcing, start, steps)
    gradients, found = _room_for_gradients(network, start, forcing)
    _squared_error(plan, room, work, *given, *_flat((start, states), start), (flat, lanes), errors.numpy(), *found)
    return errors, gradients


def _flat_windows(data: Tensor) -> tuple[Any, int]:
    """Return the numbers of all windows and what lies between them, and the distance between windows [steps]."""
    seeds, windows, length, seen = data.shape
    by_seed, by_window, by_step, by_observable = data.stride()
    if (by_observable, by_step, by_seed) != (1, seen, windows * by_window) or by_window % seen:
        data, by_window = data.contiguous(), length * seen
    size = (seeds * windows - 1) * by_window + length * seen
    return data.detach().as_strided((size,), (1,)).numpy(), by_window // seen


def _dense(network: Network) -> Network:
    """Copy the coefficients that are neither contiguous nor transposes of contiguous matrices."""
    if all(one is None or _layout(one) for one in network.coefficients):
        return network
    return network.with_coefficients(
        [one if one is None or _layout(one) else one.contiguous() for one in network.coefficients]
    )


def _layout(tensor: Tensor | None) -> int:
    """Return 1 for a contiguous tensor, 2 for transposed matrices, and 0 for others and for None."""
    if tensor is None or tensor.is_contiguous():
        return int(tensor is not None)
    return 2 if tensor.dim() == 3 and tensor.mT.is_contiguous() else 0


def _plan(network: Network, start: Tensor, steps: int, forcing: Forcing | None) -> Plan:
    forced, interval = 0, 0
    if forcing is not None:
        forced, interval = forcing.signals.shape[-1], forcing.interval if forcing.weights is None else 0
    linear = network.hidden - network.rectified if network.activation == "almost_linear" else 0
    matrices = map(_layout, (network.outward, network.inward, network.readout))
    sizes = (start.shape[0], start.shape[1], steps, start.shape[2], network.hidden, network.dimension, forced)
    return Plan(*sizes, interval, codes[network.activation], linear, *matrices, 64 // start.element_size())


def _room(plan: Plan, like: Tensor) -> tuple[Room, Any]:
    """Return offsets into the work array, each at a cache line, and the array itself, which torch aligns."""
    units, hidden, seen = (-(-size // 4) * 4 for size in (plan.units, plan.hidden, plan.seen))
    width = 64 // like.element_size()
    coefficients = [units, units * hidden, hidden * units, units, hidden, seen * units, seen]
    rows = [units, hidden, units, seen, 1, *(KEPT * size for size in (units, units, hidden, hidden, seen))]
    sizes = [-(-size // width) * width for size in coefficients] * 2 + [size * width for size in rows]
    *begins, end = accumulate(sizes, initial=0)
    return Room(*begins), like.new_empty(end).numpy()


def _room_for_gradients(network: Network, start: Tensor, forcing: Forcing | None) -> tuple[Gradients, Any]:
    """Return tensors for all gradients, in the layouts of what they belong to, and flat arrays that share them."""
    by_coefficients = tuple(None if one is None else torch.empty_like(one) for one in network.coefficients)
    by_start, by_signals = torch.empty_like(start), None if forcing is None else torch.zeros_like(forcing.signals)
    found = _flat(by_coefficients, start), _flat((by_start, by_signals), start)
    return (by_coefficients, by_start, by_signals), found


def _flat(tensors: Sequence[Tensor | None], like: Tensor) -> tuple[Any, ...]:
    """Flat arrays that share the tensors' memory; empty ones for None."""
    given = (like.new_empty(0) if one is None else one.detach() for one in tensors)
    return tuple((one if one.is_contiguous() else one.mT).view(-1).numpy() for one in given)


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
        pack(plan, room, pointer(work), coefficients, k)
        for first in range(0, plan.samples, plan.width):
            block_forward(plan, room, pointers, (pointer(start), pointer(observed), pointer(last)), (k, first))


@entry
def _backward(plan, room, work, coefficients, forcing, states, of_observed, of_last, by_coefficients, by_others):
    pointers = pointer(work), (pointer(forcing[0]), pointer(forcing[1])), pointer(states)
    given = pointer(of_observed), pointer(of_last), pointer(np.empty(0, np.int64))
    found = pointer(by_others[0]), pointer(by_others[1])
    for k in range(plan.seeds):
        pack(plan, room, pointer(work), coefficients, k)
        _clear_gradients(plan, room, pointer(work))
        for first in range(0, plan.samples, plan.width):
            block_back(plan, room, pointers, given, found, (k, first))
        _finish_gradients(plan, room, pointer(work), by_coefficients, k)


@entry
def _squared_error(plan, room, work, coefficients, forcing, start, states, data, errors, by_coefficients, by_others):
    pointers = pointer(work), (pointer(forcing[0]), pointer(forcing[1])), pointer(states)
    given = pointer(data[0]), pointer(data[0]), pointer(data[1])
    found = pointer(by_others[0]), pointer(by_others[1])
    for k in range(plan.seeds):
        pack(plan, room, pointer(work), coefficients, k)
        _clear_gradients(plan, room, pointer(work))
        for first in range(0, plan.samples, plan.width):
            block_forward(plan, room, pointers, (pointer(start), pointer(start), pointer(start)), (k, first))
            block_back(plan, room, pointers, given, found, (k, first))
        _finish_gradients(plan, room, pointer(work), by_coefficients, k)
        errors[k] = total(load(pointer(work), room.error)) * plan.slope / 2


@compiled
def _clear_gradients(plan, room, work):
    for i in range(room.by_diagonal, room.gradient):
        work[i] = 0
    clear_rows(work, (room.threshold_sums, plan.width), padded(plan.hidden))
    clear_rows(work, (room.error, plan.width), 1)


@compiled
def _finish_gradients(plan, room, work, by_coefficients, k):
    add_sums(work, room.by_threshold, (room.threshold_sums, plan.width), (plan.hidden, 1, plan.width))
    unpack(plan, room, work, by_coefficients, k)
