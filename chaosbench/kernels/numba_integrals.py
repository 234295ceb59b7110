"""Loops over steps of flows that are integrated by `numba_procedure`: orbits, tangents and their growth."""

import numpy as np

from chaosbench.kernels.entry import entry
from chaosbench.kernels.numba_compiled import compiled
from chaosbench.kernels.numba_procedure import advance
from chaosbench.kernels.numba_room import room_for
from chaosbench.kernels.numba_sections import LOST, crosses


@entry
def follow(plan, rule, starts, path):
    """Write every `every`-th state behind each start into `path`, `(B, T, S)`."""
    room = room_for(plan, starts)
    for orbit in range(plan.orbits):
        room.state[:] = starts[orbit]
        for _ in range(plan.transient):
            advance(plan, rule, room)
        for t in range(plan.steps):
            for _ in range(plan.every):
                advance(plan, rule, room)
            path[orbit, t] = room.state


@entry
def carry(plan, rule, states, tangents, counts):
    """Replace states `(B, S)` and tangents `(B, S, M)` by those after each state's own number of steps."""
    room = room_for(plan, states)
    for orbit in range(plan.orbits):
        _take(plan, room, states[orbit], tangents[orbit])
        for _ in range(counts[orbit]):
            advance(plan, rule, room)
        _give(plan, room, states[orbit], tangents[orbit])


@entry
def approach(plan, rule, states, counts, crossing):
    """Replace each state by the last one before a crossing, or by NaN, and count the steps; -1 without crossing."""
    room = room_for(plan, states)
    for orbit in range(plan.orbits):
        room.state[:] = states[orbit]
        states[orbit, :] = np.nan
        counts[orbit] = LOST
        for t in range(crossing.limit):
            before = room.state.copy()
            advance(plan, rule, room)
            if crosses(before[crossing.entry], room.state[crossing.entry], crossing):
                counts[orbit] = t
                states[orbit] = before
            if counts[orbit] == t or not np.isfinite(room.state).all():
                break


@entry
def grow(plan, rule, states, tangents, rates):
    """Write the growth of each column in each block into `rates`, `(B, blocks, M)`, NaN behind an escape.

    States `(B, S)` and tangents `(B, S, M)` are replaced by those that are reached.
    """
    room = room_for(plan, states)
    for orbit in range(plan.orbits):
        _take(plan, room, states[orbit], tangents[orbit])
        for _ in range(plan.transient):
            advance(plan, rule, room)
        for block in range(plan.blocks):
            room.growth[:] = 0
            for _ in range(plan.steps):
                advance(plan, rule, room)
            bounded = np.isfinite(room.state).all()
            for m in range(plan.columns):
                rates[orbit, block, m] = room.growth[m, 0] if bounded else np.nan
        _give(plan, room, states[orbit], tangents[orbit])


@compiled
def _take(plan, room, state, tangents):
    room.state[:] = state
    for m in range(plan.columns):
        for i in range(plan.size):
            room.tangents[m * plan.size + i] = tangents[i, m]


@compiled
def _give(plan, room, state, tangents):
    state[:] = room.state
    for m in range(plan.columns):
        for i in range(plan.size):
            tangents[i, m] = room.tangents[m * plan.size + i]
