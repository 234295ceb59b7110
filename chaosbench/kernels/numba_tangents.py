"""States with tangent vectors on one CPU core, in double precision, orthonormalised or rescaled at intervals.

A network's Jacobian is never formed. The tangents of a state are rows of its entries with the vectors side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, nan
from typing import Any

import numpy as np
import torch
from numba.extending import overload
from torch import Tensor
from typing_extensions import override

from chaosbench.kernels.entry import entry
from chaosbench.kernels.gated import GatedMap
from chaosbench.kernels.lanes import at_address, pointer
from chaosbench.kernels.network import Network
from chaosbench.kernels.numba_compiled import compiled
from chaosbench.kernels.numba_cpu import addresses_of, planned
from chaosbench.kernels.numba_denormals import flush_denormals, restore_denormals
from chaosbench.kernels.numba_free_runs import columns, pack_columns
from chaosbench.kernels.numba_gated_tangents import (
    GatedTangentPlan,
    advance_gates,
    gated_plan,
    gated_room,
    gated_row,
    load_gates,
    packed,
)
from chaosbench.kernels.numba_gram_schmidt import Tangents, orthonormalise
from chaosbench.kernels.numba_network_tangents import advance_network
from chaosbench.kernels.tangents import CompiledTangents, TangentForcing


@dataclass(frozen=True)
class NumbaTangents(CompiledTangents):
    """The tangents of a network.

    Attributes:
        largest: entry of a state that counts as finite.
    """

    network: Network | GatedMap
    largest: float

    @override
    def grow(
        self, states: Tensor, tangents: Tensor, *, steps: int, every: int, forcing: TangentForcing | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        states, tangents = _copied(states), _copied(tangents)
        growth, reached = states.new_zeros(*tangents.shape[:2], tangents.shape[-1]), torch.empty_like(tangents)
        plan, room, sizes, coefficients = _arranged(self.network, states, steps)
        vectors, work = _work(plan, sizes, tangents, every, forcing)
        data = _data(forcing, tangents, steps)
        given = addresses_of(coefficients), addresses_of(data)
        _grow(plan, (room, vectors), work, *given, addresses_of((states, tangents, reached, growth)))
        return states, reached, growth

    @override
    def multiply(
        self, carried: tuple[Tensor, ...], horizons: list[int], *, every: int, forcing: TangentForcing | None = None
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        states, product, scale = map(_copied, carried)
        (seeds, samples, *matrix), reached = product.shape, torch.empty_like(product)
        scales = product.new_empty(seeds, samples, len(horizons))
        products = product.new_empty(*scales.shape, *matrix)
        plan, room, sizes, coefficients = _arranged(self.network, states, horizons[-1])
        vectors, work = _work(plan, sizes, product, every, forcing)
        data, moments = _data(forcing, product, horizons[-1]), np.array(horizons, np.int64)
        given, tensors = (addresses_of(coefficients), addresses_of(data)), (states, product, reached, scale)
        found = addresses_of((products, scales))
        _multiply(plan, (room, vectors), work, *given, addresses_of(tensors), found, moments, self.largest)
        return (states, reached, scales[..., -1]), products, scales


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float64, memory_format=torch.contiguous_format, copy=True)


def _arranged(network: Network | GatedMap, states: Tensor, steps: int) -> tuple[Any, Any, tuple[int, ...], Any]:
    """Return the plan, the room, numbers of it and rows of tangents, and tensors that must live as long as a call."""
    if isinstance(network, GatedMap):
        gated = gated_plan(network, states, steps)
        room, end = gated_room(gated)
        return gated, room, (end, gated.parts * gated.units + room.seen, 0), [packed(network, gated, room)]
    double = network.with_coefficients([None if one is None else one.double() for one in network.coefficients])
    double, plan = planned(double, states, steps, None)
    offsets, end = columns(plan.units, plan.hidden, plan.seen, plan.width)
    return plan, offsets, (end, offsets.units, offsets.hidden), double.coefficients


def _work(
    plan: Any, sizes: tuple[int, ...], tangents: Tensor, every: int, forcing: TangentForcing | None
) -> tuple[Tangents, Any]:
    """Return where tangents lie, and the work array, behind whose first numbers they do."""
    begin, rows, inner = sizes
    size, count = tangents.shape[-2:]
    across = -(-count // plan.width) * plan.width
    inner_at, lengths_at = begin + rows * across, begin + (rows + inner) * across
    entries = (0, 0, 0) if forcing is None else (forcing.signals.shape[-1], forcing.first, int(forcing.renewed))
    places = begin, inner_at, *range(lengths_at, lengths_at + 4 * across, across)
    vectors = Tangents(size, count, across, *places, every, *entries)
    return vectors, tangents.new_empty(lengths_at + 4 * across).numpy()


def _data(forcing: TangentForcing | None, tangents: Tensor, steps: int) -> Sequence[Tensor | None]:
    """Return signals, weights and factors as contiguous tensors in double precision."""
    if forcing is None:
        return None, None, None
    moments, entries = (*tangents.shape[:2], steps), forcing.first + forcing.signals.shape[-1]
    given = [one.shape[:3] for one in (forcing.signals, forcing.weights, forcing.kept)]
    assert given == [moments] * 3, f"forcing for {given}; expected {moments}"  # kernels would read past the end
    assert entries <= tangents.shape[2], f"entries up to {entries} are forced of {tangents.shape[2]}"
    return [one.double().contiguous() for one in (forcing.signals, forcing.weights, forcing.kept)]


@entry
def _grow(plan, rooms, work, coefficients, data, tensors):
    (room, vectors), work, setting = rooms, pointer(work), flush_denormals()
    states, start, reached, growth = tensors
    states, start = at_address(states, work), at_address(start, work)
    reached, growth = at_address(reached, work), at_address(growth, work)
    data = at_address(data[0], work), at_address(data[1], work), at_address(data[2], work)
    for k in range(plan.seeds):
        _load(plan, room, work, coefficients, k)
        for b in range(plan.samples):
            n = k * plan.samples + b
            _load_state(plan, room, vectors, work, states, n)
            _load_tangents(plan, vectors, work, start, n)
            for t in range(plan.steps):
                _force(plan, rooms, work, data, start, (n, t))
                _advance(plan, room, vectors, work)
                if (t + 1) % vectors.every == 0 or t + 1 == plan.steps:
                    orthonormalise(plan, vectors, work, growth, n)
            _store_state(plan, room, vectors, work, states, n)
            _store_tangents(plan, vectors, work, reached, n)
    restore_denormals(setting)


@entry
def _multiply(plan, rooms, work, coefficients, data, tensors, found, horizons, largest):
    (room, vectors), work, setting = rooms, pointer(work), flush_denormals()
    states, start, reached, scale = tensors
    states, start = at_address(states, work), at_address(start, work)
    reached, scale = at_address(reached, work), at_address(scale, work)
    products, scales = at_address(found[0], work), at_address(found[1], work)
    data = at_address(data[0], work), at_address(data[1], work), at_address(data[2], work)
    for k in range(plan.seeds):
        _load(plan, room, work, coefficients, k)
        for b in range(plan.samples):
            n, h = k * plan.samples + b, 0
            _load_state(plan, room, vectors, work, states, n)
            _load_tangents(plan, vectors, work, start, n)
            for t in range(plan.steps):
                _force(plan, rooms, work, data, start, (n, t))
                _advance(plan, room, vectors, work)
                if (t + 1) % vectors.every == 0:
                    scale[n] += _rescale(vectors, work)
                if t + 1 == horizons[h]:
                    _store_tangents(plan, vectors, work, products, n * horizons.size + h)
                    scale[n] += _nan_unless_finite(room, vectors, work, largest)
                    scales[n * horizons.size + h] = scale[n]
                    h += 1
            _store_state(plan, room, vectors, work, states, n)
            _store_tangents(plan, vectors, work, reached, n)
    restore_denormals(setting)


def _row(plan, i):
    """Return the row in which the i-th entry of the state lies."""


@overload(_row)
def _row_of(plan, i):
    return (lambda plan, i: gated_row(plan, i)) if _is_gated(plan) else (lambda plan, i: i)


def _load(plan, room, work, coefficients, k):
    """Copy the coefficients of seed k into the work array."""


@overload(_load)
def _load_of(plan, room, work, coefficients, k):
    if _is_gated(plan):
        return lambda plan, room, work, coefficients, k: load_gates(room, work, coefficients, k)
    return lambda plan, room, work, coefficients, k: pack_columns(plan, room, work, coefficients, k)


def _advance(plan, room, vectors, work):
    """Replace the state and its tangents by the next."""


@overload(_advance)
def _advance_of(plan, room, vectors, work):
    if _is_gated(plan):
        return lambda plan, room, vectors, work: advance_gates(plan, room, vectors, work)
    return lambda plan, room, vectors, work: advance_network(plan, room, vectors, work)


def _is_gated(plan):
    return plan.instance_class is GatedTangentPlan


@compiled
def _force(plan, rooms, work, data, start, where):
    """Draw the forced entries to their signals, and scale or renew tangents; where: number of the orbit, and step."""
    (room, vectors), (signals, weights, kept), (n, t) = rooms, data, where
    if vectors.forced == 0:
        return
    moment = n * plan.steps + t
    weight, factor = weights[moment], kept[moment]
    for i in range(vectors.forced):
        row, signal = _row(plan, vectors.first + i), signals[moment * vectors.forced + i]
        at, tangents = room.state + row, vectors.rows + row * vectors.across
        if weight != 0:
            work[at] = signal if weight == 1 else work[at] + weight * (signal - work[at])
        for j in range(tangents, tangents + vectors.across):
            work[j] = factor * work[j] if factor != 0 else 0.0
    if vectors.renewed and factor == 0:
        _load_tangents(plan, vectors, work, start, n)


@compiled
def _rescale(vectors, work):
    """Divide the product by its largest entry and return the entry's logarithm; 0 for a product of zeros."""
    largest = 0.0
    for at in range(vectors.rows, vectors.rows + vectors.size * vectors.across):
        largest = max(largest, abs(work[at]))
    if not largest > 0:
        return 0.0
    for at in range(vectors.rows, vectors.rows + vectors.size * vectors.across):
        work[at] /= largest
    return log(largest)


@compiled
def _nan_unless_finite(room, vectors, work, largest):
    """Return NaN if the state is not finite, and else 0."""
    for i in range(vectors.size):
        if not abs(work[room.state + i]) <= largest:
            return nan
    return 0.0


@compiled
def _load_state(plan, room, vectors, work, states, n):
    for i in range((vectors.size + plan.width - 1) // plan.width * plan.width):
        work[room.state + i] = 0
    for i in range(vectors.size):
        work[room.state + _row(plan, i)] = states[n * vectors.size + i]


@compiled
def _store_state(plan, room, vectors, work, states, n):
    for i in range(vectors.size):
        states[n * vectors.size + i] = work[room.state + _row(plan, i)]


@compiled
def _load_tangents(plan, vectors, work, tangents, n):
    for at in range(vectors.rows, vectors.inner):  # the padding of rows and vectors, too
        work[at] = 0
    for i in range(vectors.size):
        at, given = vectors.rows + _row(plan, i) * vectors.across, (n * vectors.size + i) * vectors.count
        for j in range(vectors.count):
            work[at + j] = tangents[given + j]


@compiled
def _store_tangents(plan, vectors, work, tangents, n):
    for i in range(vectors.size):
        at, given = vectors.rows + _row(plan, i) * vectors.across, (n * vectors.size + i) * vectors.count
        for j in range(vectors.count):
            tangents[given + j] = work[at + j]
