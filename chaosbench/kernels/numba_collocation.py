"""A step of an implicit method of Gauss or Radau on a compiled vector field, as `dynamics.implicit` takes it."""

import numpy as np

from chaosbench.kernels.lanes import pointer
from chaosbench.kernels.numba_compiled import compiled
from chaosbench.kernels.numba_orbits import call_two
from chaosbench.kernels.numba_triangles import decompose, solve

_ITERATIONS = 16  # of Newton's method
_REFRESHED = 5  # iterations with one Jacobian


@compiled
def implicit(plan, rule, room, step):
    """Write the state behind an implicit step and its error; return whether Newton's method converged."""
    call_two(plan.field, pointer(room.state), pointer(room.slope))
    call_two(plan.jacobian, pointer(room.state), pointer(room.jacobian))
    if not _solved(plan, rule, room, step):
        return False
    _update_jacobians(plan, room)
    _decompose_stages(plan, rule, room, step)
    _write_residual(plan, rule, room, step)
    solve(room.matrix, room.pivots, room.right)
    room.stepped[:] = room.state
    for stage in range(plan.stages):
        for i in range(plan.size):
            room.moves[stage, i] -= room.right[stage * plan.size + i, 0]
            room.stepped[i] += rule.ends[stage] * room.moves[stage, i]
    _write_error(plan, rule, room, step)
    return True


@compiled
def carry_implicit(plan, rule, room, step):
    """Carry tangents over the step that `implicit` has just taken, with the decomposition of its last iteration."""
    room.columns[:] = 0
    for other in range(plan.stages):
        for m in range(plan.columns):
            for i in range(plan.size):
                pushed = 0.0
                for k in range(plan.size):
                    pushed += room.jacobians[other, i, k] * room.tangents[m * plan.size + k]
                for stage in range(plan.stages):
                    room.columns[stage * plan.size + i, m] += step * rule.matrix[stage, other] * pushed
    solve(room.matrix, room.pivots, room.columns)
    for stage in range(plan.stages):
        for i in range(plan.size):
            for m in range(plan.columns):
                room.tangents[m * plan.size + i] += rule.ends[stage] * room.columns[stage * plan.size + i, m]


@compiled
def _solved(plan, rule, room, step):
    """Iterate the increments of the stages, and return whether they converged to about the root of rounding."""
    largest = 0.0
    for i in range(plan.size):
        largest = max(largest, abs(room.state[i]))
    allowed = plan.rounding**0.55 * (1 + largest)
    _begin(plan, rule, room, step)
    for iteration in range(_ITERATIONS):
        if iteration % _REFRESHED == 0:
            if iteration > 0:
                _update_jacobians(plan, room)
            _decompose_stages(plan, rule, room, step)
        solve(room.matrix, room.pivots, room.right)
        change = 0.0
        for stage in range(plan.stages):
            for i in range(plan.size):
                by = room.right[stage * plan.size + i, 0]
                room.moves[stage, i] -= by
                if not abs(by) <= change:  # true for NaN, too
                    change = abs(by)
        if change <= allowed:
            return True
        if not np.isfinite(change):
            return False
        _write_residual(plan, rule, room, step)
    return False


@compiled
def _begin(plan, rule, room, step):
    """Begin with increments of zero, where all stages are equal."""
    room.moves[:] = 0
    for stage in range(plan.stages):
        total = 0.0
        for other in range(plan.stages):
            total += step * rule.matrix[stage, other]
        for i in range(plan.size):
            room.right[stage * plan.size + i, 0] = -total * room.slope[i]
            for k in range(plan.size):
                room.jacobians[stage, i, k] = room.jacobian[i, k]


@compiled
def _write_point(plan, room, stage):
    for i in range(plan.size):
        room.points[stage, i] = room.state[i] + room.moves[stage, i]


@compiled
def _update_jacobians(plan, room):
    for stage in range(plan.stages):
        _write_point(plan, room, stage)
        call_two(plan.jacobian, pointer(room.points[stage]), pointer(room.jacobians[stage]))


@compiled
def _write_residual(plan, rule, room, step):
    """Write Z - h A f(z + Z) as the right-hand side."""
    for stage in range(plan.stages):
        for i in range(plan.size):
            room.right[stage * plan.size + i, 0] = room.moves[stage, i]
    for other in range(plan.stages):
        _write_point(plan, room, other)
        call_two(plan.field, pointer(room.points[other]), pointer(room.rate))
        for stage in range(plan.stages):
            weight = step * rule.matrix[stage, other]
            for i in range(plan.size):
                room.right[stage * plan.size + i, 0] -= weight * room.rate[i]


@compiled
def _decompose_stages(plan, rule, room, step):
    """Decompose 1 - h A x J."""
    size = plan.size
    for stage in range(plan.stages):
        for other in range(plan.stages):
            weight = step * rule.matrix[stage, other]
            for i in range(size):
                for k in range(size):
                    one = 1.0 if stage == other and i == k else 0.0
                    room.matrix[stage * size + i, other * size + k] = one - weight * room.jacobians[other, i, k]
    decompose(room.matrix, room.pivots)


@compiled
def _write_error(plan, rule, room, step):
    """Write the estimate of the error, filtered by (1 - h gamma J)^-1."""
    for i in range(plan.size):
        room.error[i, 0] = plan.damping * step * room.slope[i]
        for stage in range(plan.stages):
            room.error[i, 0] += rule.errors[stage] * room.moves[stage, i]
        for k in range(plan.size):
            one = 1.0 if i == k else 0.0
            room.small[i, k] = one - plan.damping * step * room.jacobian[i, k]
    decompose(room.small, room.few)
    solve(room.small, room.few, room.error)
