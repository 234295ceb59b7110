"""The unroll of LSTMs and GRUs and its gradients on one CPU core, compiled by numba; memory as in `numba_cpu`."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chaosbench.kernels.entry import entry
from chaosbench.kernels.gated import GatedNetwork
from chaosbench.kernels.lanes import at_address, load, pointer, total
from chaosbench.kernels.numba_compiled import compiled
from chaosbench.kernels.numba_cpu import evenly_spaced
from chaosbench.kernels.numba_denormals import flush_denormals, restore_denormals
from chaosbench.kernels.numba_gated_steps import GATES, GatedPlan, GatedRoom, gated_back, gated_forward
from chaosbench.kernels.numba_plan import KEPT
from chaosbench.kernels.numba_rows import clear_rows, copy_in, copy_sums_out, copy_vector_in, padded

Gradients = tuple[tuple[Tensor | None, ...], Tensor, None]


def forward(
    network: GatedNetwork, start: Tensor, steps: int, _: None = None, *, slots: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return observations `(K, B, T, D)`, the last state `(K, B, S)`, and what `backward` needs.

    Args:
        slots: moments of a block that are stored; None: all, as `backward` needs them.
    """
    plan = _plan(network, start, steps, steps + 1 if slots is None else slots)
    states = start.new_empty(_size(plan))
    observed, last = start.new_empty(*start.shape[:2], steps, network.dimension), torch.empty_like(start)
    coefficients = _stacked(network)  # alive until the call returns
    _forward(plan, *_room(plan, start), _addresses(coefficients), _addresses((start, states, observed, last)))
    return observed, last, states


def run_freely(network: GatedNetwork, start: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Return what `forward` observes and the last state, and store two moments of one block alone."""
    observed, last, _ = forward(network, start, steps, slots=2)
    return observed, last


def backward(network: GatedNetwork, states: Tensor, _: None, of_observed: Tensor, of_last: Tensor) -> Gradients:
    """Return gradients by the coefficients and the start, from those by observations and last state."""
    steps = of_observed.shape[2]
    plan, coefficients = _plan(network, of_last, steps, steps + 1), _stacked(network)
    gradients, by_start = [torch.empty_like(one) for one in coefficients], torch.empty_like(of_last)
    given = _addresses((states, of_observed, of_last, by_start))
    _backward(plan, *_room(plan, of_last), _addresses(coefficients), given, _addresses(gradients))
    return _unstacked(network, gradients), by_start, None


def squared_error(
    network: GatedNetwork, start: Tensor, data: Tensor, steps: int, _: None = None
) -> tuple[Tensor, Gradients]:
    """Return the mean squared error of each seed, `(K,)`, and its gradients by coefficients and start.

    Arguments as for `numba_cpu.squared_error`. Vectors of samples share the memory for states.
    """
    (_, windows, length, seen), (data, spacing) = data.shape, evenly_spaced(data)
    plan, coefficients = _plan(network, start, steps, steps + 1), _stacked(network)
    plan = plan._replace(
        segments=start.shape[1] // windows, length=length, spacing=spacing, slope=2 / (windows * length * seen)
    )
    states, errors, lanes = (
        start.new_empty(_size(plan)),
        start.new_empty(plan.seeds),
        np.empty(2 * plan.width + 1, np.int64),
    )
    gradients, by_start = [torch.empty_like(one) for one in coefficients], torch.empty_like(start)
    errors = start.new_empty(plan.seeds)
    given = _addresses((start, states, data, errors, by_start))
    _squared_error(plan, *_room(plan, start), _addresses(coefficients), given, lanes, _addresses(gradients))
    return errors, (_unstacked(network, gradients), by_start, None)


def _stacked(network: GatedNetwork) -> list[Tensor]:
    """Return W, `(K, 4 M, M)`, its biases, the read-out and its offset; those of a GRU in the order r, u, q, p."""
    weight, bias, readout = network.weight, network.bias, network.readout
    seeds, _, units = weight.shape
    if network.kind == "gru":
        assert network.candidate_bias is not None
        feedback = weight.new_zeros(seeds, units, units) if network.feedback is None else network.feedback
        weight = torch.cat([weight, feedback], dim=1)
        bias = torch.cat([bias[:, : 2 * units], network.candidate_bias, bias[:, 2 * units :]], dim=1)
    offset = weight.new_zeros(seeds, network.dimension) if network.offset is None else network.offset
    return [one.contiguous() for one in (weight, bias, readout, offset)]


def _unstacked(network: GatedNetwork, gradients: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
    """Return gradients of what `_stacked` stacks by the coefficients of the network, in their order."""
    (weight, bias, readout, offset), units = gradients, network.weight.shape[-1]
    candidate = feedback = None
    if network.kind == "gru":
        feedback = None if network.feedback is None else weight[:, 3 * units :]
        weight, candidate = weight[:, : 3 * units], bias[:, 2 * units : 3 * units]
        bias = torch.cat([bias[:, : 2 * units], bias[:, 3 * units :]], dim=1)
    return weight, bias, candidate, feedback, readout, None if network.offset is None else offset


def _plan(network: GatedNetwork, start: Tensor, steps: int, slots: int) -> GatedPlan:
    units, parts = network.weight.shape[-1], 2 if network.kind == "lstm" else 1
    sizes = (*start.shape[:2], steps, units, network.dimension)
    return GatedPlan(*sizes, parts, 64 // start.element_size(), slots)


def _size(plan: GatedPlan) -> int:
    """Return how many numbers `gated_forward` stores."""
    blocks = plan.seeds * -(-plan.samples // plan.width) if plan.slots > plan.steps and not plan.length else 1
    rows = (GATES + 1 if plan.parts == 1 else GATES + 3) * plan.units
    return blocks * rows * plan.slots * plan.width


def _room(plan: GatedPlan, like: Tensor) -> tuple[GatedRoom, Any]:
    """Return offsets into the work array, each at a cache line, and the array itself, which torch aligns."""
    units, seen = (-(-size // 4) * 4 for size in (plan.units, plan.seen))
    gates, width = GATES * plan.units, plan.width
    coefficients = [gates * units, gates, seen * units, seen]
    rows = [*coefficients, units, plan.units, seen, 1, *(KEPT * size for size in (gates, seen, units))]
    sizes = [-(-size // width) * width for size in coefficients] + [size * width for size in rows]
    *begins, end = accumulate(sizes, initial=0)
    return GatedRoom(*begins), like.new_empty(end).numpy()


def _addresses(tensors: Sequence[Tensor]) -> tuple[int, ...]:
    """Return where the tensors' numbers begin. The caller keeps the tensors alive."""
    return tuple(one.data_ptr() for one in tensors)


@entry
def _forward(plan, room, work, coefficients, tensors):
    work, setting = pointer(work), flush_denormals()
    start, states, observed, last = tensors
    others = at_address(start, work), at_address(observed, work), at_address(last, work)
    for k in range(plan.seeds):
        _pack(plan, room, work, coefficients, k)
        for first in range(0, plan.samples, plan.width):
            gated_forward(plan, room, (work, at_address(states, work)), others, (k, first))
    restore_denormals(setting)


@entry
def _backward(plan, room, work, coefficients, tensors, gradients):
    work, setting = pointer(work), flush_denormals()
    states, of_observed, of_last, by_start = tensors
    given = at_address(of_observed, work), at_address(of_last, work), pointer(np.empty(0, np.int64))
    by_start = at_address(by_start, work)
    _clear_padding(plan, room, work)
    for k in range(plan.seeds):
        _pack(plan, room, work, coefficients, k)
        _clear_sums(plan, room, work)
        for first in range(0, plan.samples, plan.width):
            gated_back(plan, room, (work, at_address(states, work)), given, by_start, (k, first))
        _unpack(plan, room, work, gradients, k)
    restore_denormals(setting)


@entry
def _squared_error(plan, room, work, coefficients, tensors, lanes, gradients):
    work, setting = pointer(work), flush_denormals()
    start, states, data, errors, by_start = tensors
    start, data, errors = at_address(start, work), at_address(data, work), at_address(errors, work)
    pointers, by_start = (work, at_address(states, work)), at_address(by_start, work)
    _clear_padding(plan, room, work)
    for k in range(plan.seeds):
        _pack(plan, room, work, coefficients, k)
        _clear_sums(plan, room, work)
        for first in range(0, plan.samples, plan.width):
            gated_forward(plan, room, pointers, (start, start, start), (k, first))
            gated_back(plan, room, pointers, (data, data, pointer(lanes)), by_start, (k, first))
        _unpack(plan, room, work, gradients, k)
        errors[k] = total(load(work, room.error)) * plan.slope / 2
    restore_denormals(setting)


@compiled
def _clear_padding(plan, room, work):
    """Set the padding of the rows that are kept to zero, because products read it."""
    for row in range(plan.seen, padded(plan.seen)):
        clear_rows(work, (room.by_shown + row * KEPT * plan.width, plan.width), KEPT)
    for row in range(plan.units, padded(plan.units)):
        clear_rows(work, (room.hidden + row * KEPT * plan.width, plan.width), KEPT)


@compiled
def _clear_sums(plan, room, work):
    """Set the gradients of a seed's coefficients and its error to zero."""
    for at in range(room.by_weight, room.by_hidden, plan.width):
        clear_rows(work, (at, plan.width), 1)
    clear_rows(work, (room.error, plan.width), 1)


@compiled
def _pack(plan, room, work, coefficients, k):
    """Copy the coefficients of seed k, given by their addresses, into the work array."""
    units, gates, (weight, bias, readout, offset) = plan.units, GATES * plan.units, coefficients
    copy_in(work, room.weight, at_address(weight, work), k, (gates, units, 1))
    copy_vector_in(work, room.bias, bias, k, gates)
    copy_in(work, room.readout, at_address(readout, work), k, (plan.seen, units, 1))
    copy_vector_in(work, room.offset, offset, k, plan.seen)


@compiled
def _unpack(plan, room, work, gradients, k):
    """Copy the gradients of seed k's coefficients out of the work array."""
    units, gates, width, (weight, bias, readout, offset) = plan.units, GATES * plan.units, plan.width, gradients
    copy_sums_out(at_address(weight, work), work, room.by_weight, k, (gates, units, 1, width))
    copy_sums_out(at_address(bias, work), work, room.by_bias, k, (1, gates, 1, width))
    copy_sums_out(at_address(readout, work), work, room.by_readout, k, (plan.seen, units, 1, width))
    copy_sums_out(at_address(offset, work), work, room.by_offset, k, (1, plan.seen, 1, width))
