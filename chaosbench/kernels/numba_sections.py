"""Loops over compiled steps of a flow that is seen on a section: to the section, and to the moment of the crossing.

As in `numba_orbits`, `width` orbits are stepped together.
"""

from typing import NamedTuple

import numpy as np

from chaosbench.kernels.entry import entry
from chaosbench.kernels.lanes import pointer
from chaosbench.kernels.numba_orbits import WIDTHS, call_three, call_two
from chaosbench.kernels.numba_products import inlined

_WAITING, LOST = -2, -1  # in place of a number of steps


class Crossing(NamedTuple):
    """The section state[entry] = level, and how long a crossing is searched."""

    entry: int
    level: float
    up: bool  # crossings in this direction count
    down: bool
    limit: int  # [steps] to the section, or iterations to the moment of the crossing
    dt: float  # [system time] per step


def _carrying(width):
    @entry
    def carry(plan, room, work, states, tangents, counts):
        """Replace states `(B, S)` and tangents `(B, S, M)` by those after each state's own number of steps."""
        rows = plan.size * width
        state, partials = pointer(work), pointer(work[rows:])
        columns = np.empty(plan.columns * rows, work.dtype)
        for first in range(0, plan.orbits, width):
            last = 0
            for lane in range(width):
                at = min(first + lane, plan.orbits - 1)
                last = max(last, counts[at])
                for i in range(plan.size):
                    work[i * width + lane] = states[at, i]
                    for column in range(plan.columns):
                        columns[column * rows + i * width + lane] = tangents[at, i, column]
            for t in range(1, last + 1):
                call_three(plan.step, state, state, partials)
                for column in range(plan.columns):
                    place = pointer(columns[column * rows :])
                    call_three(plan.carry, partials, place, place)
                for lane in range(min(width, plan.orbits - first)):
                    if counts[first + lane] == t:
                        for i in range(plan.size):
                            states[first + lane, i] = work[i * width + lane]
                            for column in range(plan.columns):
                                tangents[first + lane, i, column] = columns[column * rows + i * width + lane]

    return carry


@inlined
def crosses(before, after, crossing):
    """Return whether the section lies between two values; a start on it does not count."""
    up = before < crossing.level and after >= crossing.level
    down = before > crossing.level and after <= crossing.level
    return (crossing.up and up) or (crossing.down and down)


@inlined
def _finite(plan, width, work, lane):
    finite = True
    for i in range(plan.size):
        finite &= np.isfinite(work[i * width + lane])
    return finite


def _approaching(width):
    @entry
    def approach(plan, room, work, states, counts, crossing):
        """Replace each state by the last one before a crossing, or by NaN, and count the steps; -1 without crossing."""
        state, at_entry = pointer(work), crossing.entry * width
        before = np.empty(plan.size * width, work.dtype)
        for first in range(0, plan.orbits, width):
            live = min(width, plan.orbits - first)
            for lane in range(width):
                at = min(first + lane, plan.orbits - 1)
                counts[at] = _WAITING
                for i in range(plan.size):
                    work[i * width + lane] = states[at, i]
            waiting = live
            for t in range(crossing.limit):
                before[:] = work[: plan.size * width]
                call_two(plan.step, state, state)
                for lane in range(live):
                    if counts[first + lane] != _WAITING:
                        continue
                    if crosses(before[at_entry + lane], work[at_entry + lane], crossing):
                        counts[first + lane] = t
                        for i in range(plan.size):
                            states[first + lane, i] = before[i * width + lane]
                        waiting -= 1
                    elif not _finite(plan, width, work, lane):
                        counts[first + lane] = LOST
                        waiting -= 1
                if waiting == 0:
                    break
            for at in range(first, first + live):
                if counts[at] < 0:
                    counts[at] = LOST
                    states[at, :] = np.nan

    return approach


def _locating(width):
    @entry
    def locate(plan, room, work, states, times, crossing):
        """Write the time from each state to its crossing, which is less than a step, by a safeguarded Newton method.

        `plan.step` replaces a state and a time by the state after that time and the rate of its entry.
        """
        joined, size = pointer(work), plan.size - 1
        low, high = np.empty(width, work.dtype), np.empty(width, work.dtype)
        time, rising, going = np.empty(width, work.dtype), np.empty(width, np.bool_), np.empty(width, np.bool_)
        for first in range(0, plan.orbits, width):
            for lane in range(width):
                low[lane], high[lane], time[lane] = 0.0, crossing.dt, crossing.dt / 2
                rising[lane] = states[min(first + lane, plan.orbits - 1), crossing.entry] < crossing.level
                going[lane] = True
            for _ in range(crossing.limit):
                for lane in range(width):
                    at = min(first + lane, plan.orbits - 1)
                    work[size * width + lane] = time[lane]
                    for i in range(size):
                        work[i * width + lane] = states[at, i]
                call_two(plan.step, joined, joined)
                for lane in range(width):
                    if going[lane]:
                        height = work[crossing.entry * width + lane] - crossing.level
                        early = (height < 0) == rising[lane]
                        low[lane] = time[lane] if early else low[lane]
                        high[lane] = high[lane] if early else time[lane]
                        newton = time[lane] - height / work[size * width + lane]
                        inside = newton >= low[lane] and newton <= high[lane]
                        change = (newton if inside else (low[lane] + high[lane]) / 2) - time[lane]
                        time[lane] += change
                        going[lane] = abs(change) > 1e-7 * crossing.dt
                if not going.any():
                    break
            for lane in range(min(width, plan.orbits - first)):
                times[first + lane] = time[lane]

    return locate


carry = {width: _carrying(width) for width in WIDTHS}
approach = {width: _approaching(width) for width in WIDTHS}
locate = {width: _locating(width) for width in WIDTHS}
