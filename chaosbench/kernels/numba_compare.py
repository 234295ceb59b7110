"""Differences between observations and data, and the squared error whose gradient they are."""

from chaosbench.kernels.lanes import constant, load, multiply_add, store
from chaosbench.kernels.numba_compiled import compiled
from chaosbench.kernels.numba_plan import KEPT
from chaosbench.kernels.numba_steps import show


@compiled
def find_lanes(plan, lanes, k, first):
    """Note where the data of a vector of samples lie, and how many steps of each sample are compared with them.

    Args:
        lanes: the numbers of the first observations of all samples, then their steps, then the fewest of these.
    """
    width, segments, fewest = plan.width, plan.segments, plan.steps
    for lane in range(width):
        sample = min(first + lane, plan.samples - 1)
        window, segment = sample // segments, sample % segments
        lanes[lane] = (k * (plan.samples // segments) + window) * plan.spacing + segment * plan.steps
        steps = min(plan.steps, plan.length - segment * plan.steps) if first + lane < plan.samples else 0
        lanes[width + lane] = steps
        fewest = min(fewest, steps)
    lanes[2 * width] = fewest


@compiled
def compare(plan, room, work, u, states, ahead, data, lanes, t):
    """Write what is shown after step t, compare it with data and add the squared error; arguments as for `differ`.

    Args:
        ahead: where the states after the step begin, and their stride.
    """
    show(plan, room, work, states, ahead)
    differ(plan, room, work, u, data, lanes, t)


@compiled
def differ(plan, room, work, u, data, lanes, t):
    """Write the gradient by what is shown after step t into the rows that are kept, and add the squared error.

    Args:
        u: the step, in numbers into the rows that are kept.
        data: the observations of all windows.
        lanes: what `find_lanes` noted.
    """
    width, stride = plan.width, KEPT * plan.width
    for lane in range(width):
        at = (lanes[lane] + min(t, max(lanes[width + lane] - 1, 0))) * plan.seen
        for i in range(plan.seen):
            work[room.by_shown + u + i * stride + lane] = data[at + i]
    for i in range(plan.seen):
        at = room.by_shown + u + i * stride
        store(work, at, load(work, room.shown + i * width) - load(work, at))
    if t >= lanes[2 * width]:
        _ignore_lanes(plan, room, work, u, lanes, t)
    error = load(work, room.error)
    for i in range(plan.seen):
        at = room.by_shown + u + i * stride
        difference = load(work, at)
        error = multiply_add(difference, difference, error)
        store(work, at, difference * constant(difference, plan.slope))
    store(work, room.error, error)


@compiled
def _ignore_lanes(plan, room, work, u, lanes, t):
    """Set to zero the differences of copies of the last sample, and those past the end of a window."""
    for lane in range(plan.width):
        if t >= lanes[plan.width + lane]:
            for i in range(plan.seen):
                work[room.by_shown + u + i * KEPT * plan.width + lane] = 0
