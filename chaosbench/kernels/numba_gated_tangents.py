"""A step of an LSTM or GRU and of its tangent vectors on one CPU core, in double precision.

Units of a state lie side by side, and so do the tangent vectors of a unit. Rows have the order of the state, but an
LSTM's c comes before its h: what the gates depend on, h and the output behind it, lies together.
"""

from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from chaosbench.kernels.gated import GatedMap
from chaosbench.kernels.lanes import at_address, broadcast, constant, load, multiply_add, store
from chaosbench.kernels.numba_compiled import compiled
from chaosbench.kernels.numba_free_runs import product_with_columns
from chaosbench.kernels.numba_gated_steps import GATES
from chaosbench.kernels.numba_products import product_of_four
from chaosbench.kernels.numba_rows import store_four
from chaosbench.kernels.numba_tanh import logistic, squashed

_SLOPES = 6  # of a unit, as `_lstm` and `_gru` store them


class GatedTangentPlan(NamedTuple):
    """Sizes of an orbit with tangents."""

    seeds: int  # K
    samples: int  # B
    steps: int  # T
    units: int  # M
    seen: int  # D; 0 for a network without input
    parts: int  # of the hidden state: 2 for the (h, c) of an LSTM, 1 for the h of a GRU
    width: int  # numbers in a vector


class GatedColumns(NamedTuple):
    """Offsets into the work array: the coefficients of a seed, and the numbers of one orbit."""

    columns: int  # the gates' weights column by column
    bias: int
    weights: int  # the gates' weights row by row
    readout: int  # rows
    offset: int
    gates: int
    hidden: int  # h'
    slopes: int
    state: int
    following: int  # one vector of tangents of h'
    units: int  # [numbers] padded to whole vectors
    seen: int  # [rows] padded to a multiple of four


def gated_room(plan: GatedTangentPlan) -> tuple[GatedColumns, int]:
    """Return offsets into the work array, and how many numbers of it are taken."""
    units, seen = -(-plan.units // plan.width) * plan.width, -(-plan.seen // 4) * 4
    sources = plan.units + plan.seen
    sizes = [sources * GATES * units, GATES * units, GATES * plan.units * sources, seen * plan.units, seen]
    sizes += [GATES * units, units, _SLOPES * units, plan.parts * plan.units + plan.seen + plan.width]
    sizes += [plan.units * plan.width]
    *begins, end = accumulate((-(-size // plan.width) * plan.width for size in sizes), initial=0)
    return GatedColumns(*begins, units, seen), end


def gated_plan(network: GatedMap, states: Tensor, steps: int) -> GatedTangentPlan:
    """Return the sizes of orbits that start from `states`, `(K, B, S)`."""
    seen = 0 if network.drive is None else network.drive.shape[-1]
    units, parts = network.weight.shape[-1], 2 if network.kind == "lstm" else 1
    size = parts * units + seen
    assert states.shape[-1] == size, f"states have {states.shape[-1]} entries; the network's have {size}"
    return GatedTangentPlan(*states.shape[:2], steps, units, seen, parts, 64 // states.element_size())


def packed(network: GatedMap, plan: GatedTangentPlan, room: GatedColumns) -> Tensor:
    """Return the coefficients of each seed in the order of the work array, `(K, numbers)`."""
    weight, bias = _stacked(network)
    gates, padding = weight.unflatten(1, (GATES, plan.units)), room.units - plan.units
    columns = torch.nn.functional.pad(gates.movedim(3, 1), (0, padding))
    readout, offset = weight.new_zeros(plan.seeds, room.seen, plan.units), weight.new_zeros(plan.seeds, room.seen)
    if network.readout is not None and network.offset is not None:
        readout[:, : plan.seen], offset[:, : plan.seen] = network.readout, network.offset
    parts = columns, torch.nn.functional.pad(bias.unflatten(1, (GATES, -1)), (0, padding)), weight, readout, offset
    work = weight.new_zeros(plan.seeds, room.gates)
    for one, begin, end in zip(parts, room[:5], room[1:6], strict=True):
        flat = one.flatten(1)
        assert flat.shape[1] <= end - begin
        work[:, begin : begin + flat.shape[1]] = flat
    return work


def _stacked(network: GatedMap) -> tuple[Tensor, Tensor]:
    """Return the weights of (h, x), `(K, 4 M, M + D)`, and the biases, `(K, 4 M)`; gates i, f, g, o or r, u, q, p."""
    weight, bias, drive = network.weight, network.bias, network.drive
    if drive is None:
        drive = weight.new_zeros(*weight.shape[:2], 0)
    if network.kind == "gru":
        assert network.candidate_bias is not None
        gates = 2 * weight.shape[-1]
        nothing, without = torch.zeros_like(weight[:, gates:]), torch.zeros_like(drive[:, gates:])
        weight = torch.cat([weight, nothing], dim=1)
        drive = torch.cat([drive[:, :gates], without, drive[:, gates:]], dim=1)
        bias = torch.cat([bias[:, :gates], network.candidate_bias, bias[:, gates:]], dim=1)
    return torch.cat([weight, drive], dim=2).double(), bias.double()


@compiled
def gated_row(plan, i):
    """Return the row of the i-th entry of the state."""
    if plan.parts == 1 or i >= 2 * plan.units:
        return i
    return i + plan.units if i < plan.units else i - plan.units


@compiled
def load_gates(room, work, coefficients, k):
    """Copy the coefficients of seed k into the work array."""
    given = at_address(coefficients[0], work)
    for i in range(room.gates):
        work[i] = given[k * room.gates + i]


@compiled
def advance_gates(plan, room, vectors, work):
    """Replace the state and its tangents by the next."""
    sources, source = plan.units + plan.seen, room.state + (plan.parts - 1) * plan.units
    for v in range(0, GATES * room.units, plan.width):
        driven = product_with_columns(work, room.columns + v, GATES * room.units, source, sources)
        store(work, room.gates + v, driven + load(work, room.bias + v))
    if plan.parts == 2:
        _lstm(plan, room, work)
    else:
        _gru(plan, room, work)
    for v in range(0, room.units, plan.width):
        store(work, source + v, load(work, room.hidden + v))
    for i in range(plan.seen):
        shown = work[room.offset + i]
        for j in range(plan.units):
            shown += work[room.readout + i * plan.units + j] * work[source + j]
        work[source + plan.units + i] = shown
    for v in range(0, vectors.across, plan.width):
        _advance_tangents(plan, room, vectors, work, v)


@compiled
def _lstm(plan, room, work):
    """Write c' and h'; slopes: of c' by c and the gates i, f and g, of h' by the gate o and by c'."""
    for v in range(0, room.units, plan.width):
        i, without_i = logistic(load(work, room.gates + v))
        f, without_f = logistic(load(work, room.gates + room.units + v))
        g = squashed(load(work, room.gates + 2 * room.units + v))
        o, without_o = logistic(load(work, room.gates + 3 * room.units + v))
        cell, one = load(work, room.state + v), constant(g, 1.0)
        following = multiply_add(f, cell, i * g)
        tanh = squashed(following)
        store_four(work, room.slopes + v, room.units, (f, g * i * without_i, cell * f * without_f, i * (one - g * g)))
        store(work, room.slopes + 4 * room.units + v, tanh * o * without_o)
        store(work, room.slopes + 5 * room.units + v, o * (one - tanh * tanh))
        store(work, room.state + v, following)
        store(work, room.hidden + v, o * tanh)


@compiled
def _gru(plan, room, work):
    """Write h'; slopes: by h, by the gates r and u, and by the two parts of the candidate."""
    for v in range(0, room.units, plan.width):
        r, without_r = logistic(load(work, room.gates + v))
        u, without_u = logistic(load(work, room.gates + room.units + v))
        recurrent, hidden = load(work, room.gates + 2 * room.units + v), load(work, room.state + v)
        n = squashed(multiply_add(r, recurrent, load(work, room.gates + 3 * room.units + v)))
        by_candidate = without_u * (constant(n, 1.0) - n * n)
        by_r, by_u = by_candidate * recurrent * r * without_r, (hidden - n) * u * without_u
        store_four(work, room.slopes + v, room.units, (u, by_r, by_u, by_candidate * r))
        store(work, room.slopes + 4 * room.units + v, by_candidate)
        store(work, room.hidden + v, multiply_add(u, hidden - n, n))


@compiled
def _advance_tangents(plan, room, vectors, work, v):
    """Replace one vector of tangents of all entries of the state."""
    units, sources, across = plan.units, plan.units + plan.seen, vectors.across
    first, hidden = vectors.rows + v, vectors.rows + v + (plan.parts - 1) * plan.units * across
    for j in range(units):
        weights_at, slope = (room.weights + j * sources, units * sources, 1), room.slopes + j
        a, b, c, d = product_of_four(work, weights_at, work, (hidden, across), sources)
        carried = broadcast(work, slope) * load(work, first + j * across)
        carried = multiply_add(broadcast(work, slope + room.units), a, carried)
        carried = multiply_add(broadcast(work, slope + 2 * room.units), b, carried)
        carried = multiply_add(broadcast(work, slope + 3 * room.units), c, carried)
        if plan.parts == 2:
            store(work, first + j * across, carried)
            carried = carried * broadcast(work, slope + 5 * room.units)
        carried = multiply_add(broadcast(work, slope + 4 * room.units), d, carried)
        store(work, room.following + j * plan.width, carried)
    for j in range(units):
        store(work, hidden + j * across, load(work, room.following + j * plan.width))
    for i in range(0, room.seen, 4):
        readout_at, at = (room.readout + i * units, units, 1), hidden + (units + i) * across
        a, b, c, d = product_of_four(work, readout_at, work, (hidden, across), units)
        store_four(work, at, across, (a, b, c, d))
