"""Loops over compiled steps: orbits, and the growth of tangent vectors with repeated orthonormalisation.

A step is given as the address of a function that `machine_code` compiled, so that these loops are compiled once for all
systems. `width` orbits are stepped together: entry i of the state of orbit `lane` is number `i * width + lane`.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from chaosbench.kernels.entry import entry
from chaosbench.kernels.lanes import pointer
from chaosbench.kernels.numba_products import inlined


class Plan(NamedTuple):
    """Sizes of a computation, and the addresses of the step and of what carries a tangent vector along."""

    orbits: int  # B
    size: int  # S
    steps: int  # T, or the length of a block
    transient: int  # [steps]
    every: int  # [steps]
    columns: int  # M
    blocks: int
    step: int
    carry: int


@intrinsic
def call_two(typing_context, address, first, second):
    """Call the function at an address with two pointers."""

    def generate(context, builder, signature, args):
        return _called(context, builder, args)

    return types.void(address, first, second), generate


@intrinsic
def call_three(typing_context, address, first, second, third):
    """Call the function at an address with three pointers."""

    def generate(context, builder, signature, args):
        return _called(context, builder, args)

    return types.void(address, first, second, third), generate


def _called(context, builder, args):
    kinds = [one.type for one in args[1:]]
    function = builder.inttoptr(args[0], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
    builder.call(function, args[1:])
    return context.get_dummy_value()


def _following(width):
    @entry
    def follow(plan, room, work, starts, path):
        """Write every `every`-th state behind each start into `path`, `(B, T, S)`."""
        state = pointer(work)
        for first in range(0, plan.orbits, width):
            for lane in range(width):
                for i in range(plan.size):
                    work[i * width + lane] = starts[min(first + lane, plan.orbits - 1), i]
            for _ in range(plan.transient):
                call_two(plan.step, state, state)
            for t in range(plan.steps):
                for _ in range(plan.every):
                    call_two(plan.step, state, state)
                for lane in range(min(width, plan.orbits - first)):
                    for i in range(plan.size):
                        path[first + lane, t, i] = work[i * width + lane]

    return follow


def _reaching(width):
    @entry
    def reach(plan, room, work, starts, counts):
        """Replace each start by the state that follows after its own number of steps."""
        state = pointer(work)
        for first in range(0, plan.orbits, width):
            last = 0
            for lane in range(width):
                at = min(first + lane, plan.orbits - 1)
                last = max(last, counts[at])
                for i in range(plan.size):
                    work[i * width + lane] = starts[at, i]
            for t in range(1, last + 1):
                call_two(plan.step, state, state)
                for lane in range(min(width, plan.orbits - first)):
                    if counts[first + lane] == t:
                        for i in range(plan.size):
                            starts[first + lane, i] = work[i * width + lane]

    return reach


@inlined
def orthonormalise(plan, width, tangents, growth):
    """Make the columns orthonormal, twice each, and add the logarithms of their lengths to the growth."""
    rows, room = plan.size * width, np.empty(width, tangents.dtype)
    for column in range(plan.columns):
        at = column * rows
        for _ in range(2):
            for other in range(0, at, rows):
                room[:] = 0
                for i in range(0, rows, width):
                    for lane in range(width):
                        room[lane] += tangents[other + i + lane] * tangents[at + i + lane]
                for i in range(0, rows, width):
                    for lane in range(width):
                        tangents[at + i + lane] -= room[lane] * tangents[other + i + lane]
        for lane in range(width):
            length = _length(tangents, at + lane, at + rows, width)
            growth[column, lane] += np.log(np.float64(length))
            factor = 1 / length if length > 0 else length  # a vector that vanished stays zero
            for i in range(0, rows, width):
                tangents[at + i + lane] *= factor


@inlined
def _stretch(plan, width, work, tangents, growth, steps):
    """Carry state and tangents `steps` steps on, with a decomposition every `every` steps and at the end."""
    rows = plan.size * width
    state, partials = pointer(work), pointer(work[rows:])
    done = 0
    while done < steps:
        few = min(plan.every, steps - done)
        for _ in range(few):
            call_three(plan.step, state, state, partials)
            for column in range(plan.columns):
                place = pointer(tangents[column * rows :])
                call_three(plan.carry, partials, place, place)
        orthonormalise(plan, width, tangents, growth)
        done += few


@inlined
def _length(numbers, begin, end, stride):
    """Return the length of a vector, which neither overflows nor underflows."""
    largest = numbers.dtype.type(0)
    for i in range(begin, end, stride):
        if not abs(numbers[i]) <= largest:  # true for NaN, too
            largest = abs(numbers[i])
    if not 0 < largest < np.inf:
        return largest
    total = numbers.dtype.type(0)
    for i in range(begin, end, stride):
        total += (numbers[i] / largest) ** 2
    return largest * np.sqrt(total)


def _growing(width):
    @entry
    def grow(plan, room, work, states, carried, rates):
        """Write the growth of each column in each block into `rates`, `(B, blocks, M)`, NaN behind an escape.

        States `(B, S)` and tangents `(B, S, M)` are replaced by those that are reached.
        """
        rows = plan.size * width
        tangents = np.empty(plan.columns * rows, work.dtype)
        growth = np.zeros((plan.columns, width))
        for first in range(0, plan.orbits, width):
            for lane in range(width):
                at = min(first + lane, plan.orbits - 1)
                for i in range(plan.size):
                    work[i * width + lane] = states[at, i]
                    for column in range(plan.columns):
                        tangents[column * rows + i * width + lane] = carried[at, i, column]
            _stretch(plan, width, work, tangents, growth, plan.transient)
            for block in range(plan.blocks):
                growth[:] = 0
                _stretch(plan, width, work, tangents, growth, plan.steps)
                for lane in range(min(width, plan.orbits - first)):
                    bounded = True
                    for i in range(plan.size):
                        bounded &= np.isfinite(work[i * width + lane])
                    for column in range(plan.columns):
                        rates[first + lane, block, column] = growth[column, lane] if bounded else np.nan
            for lane in range(min(width, plan.orbits - first)):
                for i in range(plan.size):
                    states[first + lane, i] = work[i * width + lane]
                    for column in range(plan.columns):
                        carried[first + lane, i, column] = tangents[column * rows + i * width + lane]

    return grow


WIDTHS = (1, 8, 16)  # a single orbit, and vectors of 64 bytes in double and in single precision
follow = {width: _following(width) for width in WIDTHS}
reach = {width: _reaching(width) for width in WIDTHS}
grow = {width: _growing(width) for width in WIDTHS}
