"""Reservoirs on one CPU core: one orbit after the other, units side by side, the zeros of W left out."""

from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from chaosbench.kernels.entry import entry
from chaosbench.kernels.lanes import at_address, broadcast, constant, load, multiply_add, pointer, store, total
from chaosbench.kernels.numba_compiled import compiled
from chaosbench.kernels.numba_cpu import addresses_of
from chaosbench.kernels.numba_denormals import flush_denormals, restore_denormals
from chaosbench.kernels.numba_tanh import squashed
from chaosbench.kernels.reservoir import Reservoir


class ReservoirPlan(NamedTuple):
    """Sizes of a run."""

    seeds: int  # K
    samples: int  # B
    steps: int  # T
    units: int  # M
    seen: int  # D
    entries: int  # most entries of a row of W that are not zero
    driven: int  # whether data are the inputs, and not outputs
    width: int  # numbers in a vector
    leak: float


class ReservoirRoom(NamedTuple):
    """Offsets into the work array: the coefficients of a seed, and the numbers of one orbit."""

    entries: int  # row by row
    drive: int  # column by column, as the following
    bias: int
    readout: int  # row by row
    offset: int
    state: int
    inside: int  # W r
    input: int
    units: int  # [numbers] padded to whole vectors


def respond(reservoir: Reservoir, state: Tensor, inputs: Tensor) -> Tensor:
    """Return the states after each input, as `ReservoirBackend` has it."""
    responses = state.new_empty(*state.shape[:2], inputs.shape[2], state.shape[2])
    _call(reservoir, (state, inputs), (responses, torch.empty_like(state)), inputs.shape[2], driven=True)
    return responses


def run_freely(reservoir: Reservoir, state: Tensor, output: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Return the outputs and the last state, as `ReservoirBackend` has it."""
    found = output.new_empty(*output.shape[:2], steps, output.shape[2]), torch.empty_like(state)
    _call(reservoir, (state, output.unsqueeze(2)), found, steps, driven=False)
    return found


def _call(
    reservoir: Reservoir, given: tuple[Tensor, Tensor], found: tuple[Tensor, Tensor], steps: int, *, driven: bool
) -> None:
    """Fill `found`: states or outputs of all steps, and the last state."""
    state, inputs = (one.contiguous() for one in given)
    size, expected = tuple(reservoir.weight.shape), (state.shape[0], state.shape[2], state.shape[2])
    assert size == expected, f"the reservoir is {size}; for states {tuple(state.shape)} it is {expected}"
    present = reservoir.weight != 0
    entries = max(1, int(present.sum(-1).max()))
    # Entries in the order of their columns, zeros behind: sums then do not depend on the rows of other seeds.
    order = torch.arange(present.shape[-1], 0, -1) + present.shape[-1] * present
    columns = order.topk(entries, dim=-1).indices.contiguous()
    weights = reservoir.weight.gather(-1, columns)
    others = reservoir.drive, reservoir.bias, reservoir.readout, reservoir.offset
    coefficients = [one.to(state).contiguous() for one in (weights, *others)]
    sizes = (*state.shape[:2], steps, state.shape[2], inputs.shape[3], entries)
    plan = ReservoirPlan(*sizes, int(driven), 64 // state.element_size(), reservoir.leak)
    room, end = _room(plan)
    tensors, columns = addresses_of((state, inputs, *found)), columns.numpy().ravel()
    _run(plan, room, state.new_empty(end).numpy(), addresses_of(coefficients), columns, tensors)


def _room(plan: ReservoirPlan) -> tuple[ReservoirRoom, int]:
    """Return offsets, each at a cache line, and the size of the work array."""
    units = -(-plan.units // plan.width) * plan.width
    sizes = (plan.units * plan.entries, plan.seen * units, units, plan.seen * units, plan.seen, units, units, plan.seen)
    *begins, end = accumulate((-(-size // plan.width) * plan.width for size in sizes), initial=0)
    return ReservoirRoom(*begins, units), end


@entry
def _run(plan, room, work, coefficients, columns, tensors):
    columns, work, setting = pointer(columns), pointer(work), flush_denormals()
    state, inputs, found, last = tensors
    state, inputs = at_address(state, work), at_address(inputs, work)
    found, last = at_address(found, work), at_address(last, work)
    given, shown = plan.steps if plan.driven else 1, plan.units if plan.driven else plan.seen
    shown_at = room.state if plan.driven else room.input
    for k in range(plan.seeds):
        _load(plan, room, work, coefficients, k)
        for n in range(k * plan.samples, (k + 1) * plan.samples):
            _copy(work, room.state, state, n * plan.units, plan.units)
            for t in range(plan.steps):
                if t < given:
                    _copy(work, room.input, inputs, (n * given + t) * plan.seen, plan.seen)
                _advance(plan, room, work, columns, k * plan.units * plan.entries)
                if not plan.driven:
                    _show(plan, room, work)
                _copy(found, (n * plan.steps + t) * shown, work, shown_at, shown)
            _copy(last, n * plan.units, work, room.state, plan.units)
    restore_denormals(setting)


@compiled
def _load(plan, room, work, coefficients, k):
    """Copy the coefficients of seed k into the work array, with zeros behind rows and columns."""
    units, seen, (entries, drive, bias, readout, offset) = plan.units, plan.seen, coefficients
    for i in range(room.drive, room.input):
        work[i] = 0
    _copy(work, room.entries, at_address(entries, work), k * units * plan.entries, units * plan.entries)
    _copy(work, room.bias, at_address(bias, work), k * units, units)
    _copy(work, room.offset, at_address(offset, work), k * seen, seen)
    drive, readout = at_address(drive, work), at_address(readout, work)
    for d in range(seen):
        _copy(work, room.readout + d * room.units, readout, (k * seen + d) * units, units)
        for i in range(units):
            work[room.drive + d * room.units + i] = drive[(k * units + i) * seen + d]


@compiled
def _copy(out, out_at, values, at, count):
    for i in range(count):
        out[out_at + i] = values[at + i]


@compiled
def _advance(plan, room, work, columns, begin):
    """Replace the state by the next; columns: of the entries of W, those of this seed from `begin` on."""
    entry, leak = room.entries, plan.leak
    for i in range(plan.units):
        summed = work[entry] * work[room.state + columns[begin]]
        for e in range(1, plan.entries):
            summed += work[entry + e] * work[room.state + columns[begin + e]]
        work[room.inside + i] = summed
        entry += plan.entries
        begin += plan.entries
    for v in range(0, room.units, plan.width):
        inside = load(work, room.inside + v) + load(work, room.bias + v)
        for d in range(plan.seen):
            inside = multiply_add(broadcast(work, room.input + d), load(work, room.drive + d * room.units + v), inside)
        active, before = squashed(inside), load(work, room.state + v)
        following = multiply_add(constant(active, leak), active - before, before)
        if leak >= 0.5:  # exact where the old value has no weight, as torch.lerp is
            following = multiply_add(constant(active, leak - 1), active - before, active)
        store(work, room.state + v, following)


@compiled
def _show(plan, room, work):
    """Write C r + d to where inputs are."""
    for d in range(plan.seen):
        at, summed = room.readout + d * room.units, constant(load(work, room.state), 0.0)
        for v in range(0, room.units, plan.width):
            summed = multiply_add(load(work, at + v), load(work, room.state + v), summed)
        work[room.input + d] = work[room.offset + d] + total(summed)
