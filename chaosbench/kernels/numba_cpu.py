"""The unroll and its gradients on one CPU core, compiled by numba: a vector of samples at a time.

States are kept as `(K, blocks, M, T + 1, width)`: `width` samples lie side by side and a unit's orbit behind them, so
that gradients of weights are products of long rows. Rows are padded to a multiple of four. The last block repeats
its last sample; the copies get no gradient.
"""

from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chaosbench.kernels.entry import entry
from chaosbench.kernels.lanes import at_address, load, pointer, total
from chaosbench.kernels.network import Forcing, Network
from chaosbench.kernels.numba_blocks import block_back, block_forward, clear_padding, clear_sums, pack, unpack
from chaosbench.kernels.numba_compiled import compiled
from chaosbench.kernels.numba_denormals import flush_denormals, restore_denormals
from chaosbench.kernels.numba_free_runs import columns, follow_orbits
from chaosbench.kernels.numba_plan import KEPT, Plan, Room
from chaosbench.kernels.numba_products import codes

TAKES_TRANSPOSED = True  # matrices need not be contiguous if their transposes are
_FEW_ORBITS = 4  # [samples]; so many or fewer are followed one by one

Gradients = tuple[tuple[Tensor | None, ...], Tensor, Tensor | None]


def forward(network: Network, start: Tensor, steps: int, forcing: Forcing | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return observations `(K, B, T, D)`, the last state `(K, B, M)`, and the states that `backward` needs."""
    network, plan = planned(network, start, steps, forcing)
    shape = (plan.seeds, -(-plan.samples // plan.width), -(-plan.units // 4) * 4, plan.moments, plan.width)
    states, last = start.new_empty(shape), torch.empty_like(start)
    observed = start.new_empty(*start.shape[:2], steps, network.dimension)
    forcing = _expanded(forcing, start, steps)
    given = addresses_of(network.coefficients), _forcing_addresses(forcing)
    _forward(plan, *_room(plan, start), *given, addresses_of((start, states, observed, last)))
    return observed, last, states


def run_freely(network: Network, start: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Return the observations `(K, B, T, D)` and the last state `(K, B, M)` without a way back; states are not kept."""
    network, plan = planned(network, start, steps, None)
    plan = plan._replace(moments=2)
    last, observed = torch.empty_like(start), start.new_empty(*start.shape[:2], steps, network.dimension)
    given = addresses_of(network.coefficients)
    if plan.samples <= _FEW_ORBITS:
        room, size = columns(plan.units, plan.hidden, plan.seen, plan.width)
        _follow_orbits(plan, room, start.new_empty(size).numpy(), given, addresses_of((start, observed, last)))
    else:
        states = start.new_empty(-(-plan.units // 4) * 4 * plan.moments * plan.width)
        _forward(plan, *_room(plan, start), given, (0, 0), addresses_of((start, states, observed, last)))
    return observed, last


def backward(
    network: Network, states: Tensor, forcing: Forcing | None, of_observed: Tensor, of_last: Tensor
) -> Gradients:
    """Return gradients by the coefficients, the start and the signals, from those by observations and last state."""
    steps = of_observed.shape[2]
    network, plan = planned(network, of_last, steps, forcing)
    forcing = _expanded(forcing, of_last, steps)
    gradients = _empty_gradients(network, of_last, forcing)
    given = addresses_of(network.coefficients), _forcing_addresses(forcing)
    tensors = addresses_of((states, of_observed, of_last))
    _backward(plan, *_room(plan, of_last), *given, tensors, addresses_of(gradients[0]), addresses_of(gradients[1:]))
    return gradients


def squared_error(
    network: Network, start: Tensor, data: Tensor, steps: int, forcing: Forcing | None
) -> tuple[Tensor, Gradients]:
    """Return the mean squared error of each seed, `(K,)`, and its gradients by coefficients, start and signals.

    Args:
        start: of each segment of `steps` steps of each window, `(K, B segments, M)`.
        data: `(K, B, T, D)`; the last segment may overhang.
    """
    (_, windows, length, seen), (data, spacing) = data.shape, evenly_spaced(data)
    forcing = _expanded(forcing, start, steps)
    network, plan = planned(network, start, steps, forcing)
    plan = plan._replace(
        segments=start.shape[1] // windows, length=length, spacing=spacing, slope=2 / (windows * length * seen)
    )
    states = start.new_empty(-(-plan.units // 4) * 4 * plan.moments * plan.width)
    errors, lanes = start.new_empty(plan.seeds), np.empty(2 * plan.width + 1, np.int64)
    gradients = _empty_gradients(network, start, forcing)
    given = addresses_of(network.coefficients), _forcing_addresses(forcing), addresses_of((start, states, data, errors))
    _squared_error(plan, *_room(plan, start), *given, lanes, addresses_of(gradients[0]), addresses_of(gradients[1:]))
    return errors, gradients


def evenly_spaced(data: Tensor) -> tuple[Tensor, int]:
    """Return windows of contiguous steps, copied if they are none, and the distance between two of them [steps]."""
    _, windows, length, seen = data.shape
    by_seed, by_window, by_step, by_observable = data.stride()
    if (by_observable, by_step, by_seed) != (1, seen, windows * by_window) or by_window % seen:
        return data.contiguous(), length
    return data, by_window // seen


def planned(network: Network, start: Tensor, steps: int, forcing: Forcing | None) -> tuple[Network, Plan]:
    """Return the network with coefficients as kernels can read them, and the plan, which records their layouts."""
    network.check(start)  # kernels would read past the end of what does not fit
    network, width = _dense(network), 64 // start.element_size()
    forced, interval = 0, 0
    if forcing is not None:
        forced, interval = forcing.signals.shape[-1], forcing.interval if forcing.weights is None else 0
    linear = network.hidden - network.rectified if network.activation == "almost_linear" else 0
    matrices = *map(_layout, (network.outward, network.inward, network.readout)), width
    direct = all(one is None for one in (network.diagonal, network.outward, network.bias))
    few = network.outward is not None and network.inward is not None and start.shape[2] <= 4
    sizes = (start.shape[0], start.shape[1], steps, start.shape[2], network.hidden, network.dimension, forced)
    kinds = interval, codes[network.activation], linear
    return network, Plan(*sizes, *kinds, *matrices, int(direct), (steps + 1) | 1, int(few))


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


def _room(plan: Plan, like: Tensor) -> tuple[Room, Any]:
    """Return offsets into the work array, each at a cache line, and the array itself, which torch aligns."""
    room, size = _offsets(plan.units, plan.hidden, plan.seen, plan.width)
    return room, like.new_empty(size).numpy()


@cache
def _offsets(units: int, hidden: int, seen: int, width: int) -> tuple[Room, int]:
    units, hidden, seen = (-(-size // 4) * 4 for size in (units, hidden, seen))
    coefficients = [units, units * hidden, hidden * units, units, hidden, seen * units, seen]
    rows = [*coefficients, units, units, seen, 1, *(KEPT * size for size in (units, units, hidden, hidden, seen))]
    sizes = [-(-size // width) * width for size in coefficients] + [size * width for size in rows]
    *begins, end = accumulate(sizes, initial=0)
    return Room(*begins), end


def _empty_gradients(network: Network, start: Tensor, forcing: Forcing | None) -> Gradients:
    """Return tensors for all gradients, in the layouts of what they belong to."""
    by_coefficients = tuple(None if one is None else torch.empty_like(one) for one in network.coefficients)
    return by_coefficients, torch.empty_like(start), None if forcing is None else torch.zeros_like(forcing.signals)


def addresses_of(tensors: Sequence[Tensor | None]) -> tuple[int, ...]:
    """Return where the tensors' numbers begin; 0 for None. The caller keeps the tensors alive."""
    return tuple(0 if one is None else one.data_ptr() for one in tensors)


def _forcing_addresses(forcing: Forcing | None) -> tuple[int, ...]:
    return (0, 0) if forcing is None else addresses_of((forcing.signals, forcing.weights))


def _expanded(forcing: Forcing | None, like: Tensor, steps: int) -> Forcing | None:
    """Return the forcing with a weight for every sample."""
    if forcing is None or forcing.weights is None:
        return forcing
    weights = forcing.weights.expand(like.shape[0], like.shape[1], steps - 1).contiguous()
    return Forcing(forcing.signals, weights)


@entry
def _follow_orbits(plan, room, work, coefficients, tensors):
    work, setting = pointer(work), flush_denormals()
    start, observed, last = tensors
    follow_orbits(
        plan, room, work, coefficients, (at_address(start, work), at_address(observed, work), at_address(last, work))
    )
    restore_denormals(setting)


@entry
def _forward(plan, room, work, coefficients, forcing, tensors):
    work, setting = pointer(work), flush_denormals()
    start, states, observed, last = tensors
    pointers = _pointers(work, forcing, states)
    others = at_address(start, work), at_address(observed, work), at_address(last, work)
    clear_padding(plan, room, work)
    for k in range(plan.seeds):
        pack(plan, room, work, coefficients, k)
        for first in range(0, plan.samples, plan.width):
            block_forward(plan, room, pointers, others, (k, first))
    restore_denormals(setting)


@entry
def _backward(plan, room, work, coefficients, forcing, tensors, by_coefficients, by_others):
    work, setting = pointer(work), flush_denormals()
    states, of_observed, of_last = tensors
    pointers = _pointers(work, forcing, states)
    given = at_address(of_observed, work), at_address(of_last, work), pointer(np.empty(0, np.int64))
    found = at_address(by_others[0], work), at_address(by_others[1], work)
    clear_padding(plan, room, work)
    for k in range(plan.seeds):
        pack(plan, room, work, coefficients, k)
        clear_sums(plan, room, work)
        for first in range(0, plan.samples, plan.width):
            block_back(plan, room, pointers, given, found, (k, first))
        unpack(plan, room, work, by_coefficients, k)
    restore_denormals(setting)


@entry
def _squared_error(plan, room, work, coefficients, forcing, tensors, lanes, by_coefficients, by_others):
    work, setting = pointer(work), flush_denormals()
    start, states, data, errors = tensors
    start, data, errors = at_address(start, work), at_address(data, work), at_address(errors, work)
    pointers, given = _pointers(work, forcing, states), (data, data, pointer(lanes))
    found = at_address(by_others[0], work), at_address(by_others[1], work)
    clear_padding(plan, room, work)
    for k in range(plan.seeds):
        pack(plan, room, work, coefficients, k)
        clear_sums(plan, room, work)
        for first in range(0, plan.samples, plan.width):
            block_forward(plan, room, pointers, (start, start, start), (k, first))
            block_back(plan, room, pointers, given, found, (k, first))
        unpack(plan, room, work, by_coefficients, k)
        errors[k] = total(load(work, room.error)) * plan.slope / 2
    restore_denormals(setting)


@compiled
def _pointers(work, forcing, states):
    signals, weights = at_address(forcing[0], work), at_address(forcing[1], work)
    return work, (signals, weights), at_address(states, work)
