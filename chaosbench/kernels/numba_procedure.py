"""Integration over one step of the data by methods whose steps the values of the state choose.

`dynamics.integration` and `dynamics.step_control` are the reference: every decision (a new Jacobian, the end of
Newton's method, a rejected step, the size of the next one) is made in the same order, for one orbit.
"""

import numpy as np

from chaosbench.kernels.lanes import pointer
from chaosbench.kernels.numba_collocation import carry_implicit, implicit
from chaosbench.kernels.numba_compiled import compiled
from chaosbench.kernels.numba_orbits import call_two, orthonormalise
from chaosbench.kernels.numba_room import ADAPTIVE, GAUSS, RADAU
from chaosbench.kernels.numba_variation import MOST, carry_resolved, short_steps

_RESOLVED = -1.5  # [nats], growth of a tangent below which the derivative of an implicit step is not that of the flow
_MOST = 20_000  # steps, rejected ones included, after which an orbit is given up


@compiled
def advance(plan, rule, room):
    """Replace state and tangents by those one `dt` later; by NaN where the orbit blows up or needs too many steps."""
    if not np.isfinite(room.state).all():
        _lose(room)
    elif plan.method == GAUSS:
        step = plan.dt / plan.substeps
        for _ in range(plan.substeps):
            if not implicit(plan, rule, room, step):
                _lose(room)
                return
            _accept(plan, rule, room, step)
    else:
        _take_controlled_steps(plan, rule, room)
    for i in range(plan.size):
        if rule.ranges[i] > 0:
            room.state[i] %= rule.ranges[i]


@compiled
def _take_controlled_steps(plan, rule, room):
    """Take as many steps as the error requires."""
    left, size, least = plan.dt, plan.dt, 4 * plan.rounding * plan.dt
    for _ in range(_MOST):
        step = size
        if size >= left:
            step = left
        elif 2 * size >= left:
            step = left / 2
        error = _attempt(plan, rule, room, step)
        if error <= 1:
            _accept(plan, rule, room, step)
            if step == left:
                return
            left -= step
        elif step <= least:
            break
        factor = 0.1 if np.isnan(error) else 0.9 * max(error, 1e-12) ** (-1 / plan.order)
        size = step * min(max(factor, 0.1), 6.0)
    _lose(room)


@compiled
def _attempt(plan, rule, room, step):
    """Write the state behind a step, and return its error in units of the largest one that is accepted."""
    if plan.method == RADAU:
        return _error_size(plan, room, room.error) if implicit(plan, rule, room, step) else np.nan
    _take_explicit_step(plan, rule, room, step)
    large, small = _error_size(plan, room, room.error), _error_size(plan, room, room.second)
    return 0.0 if large == 0 else large * large / np.sqrt(large * large + 0.01 * small * small)


@compiled
def _accept(plan, rule, room, step):
    """Move state and tangents to the end of the step that was tried last."""
    if plan.columns > 0:
        room.before[:] = room.tangents
        if plan.method == ADAPTIVE:
            _carry_explicit(plan, rule, room, step)
        else:
            carry_implicit(plan, rule, room, step)
    if plan.decomposed:
        room.grown[:] = 0
        orthonormalise(plan, 1, room.tangents, room.grown)
        if plan.method != ADAPTIVE and room.grown.min() < _RESOLVED:
            _resolve(plan, rule, room, step)
        room.growth[:] += room.grown
    room.state[:] = room.stepped


@compiled
def _resolve(plan, rule, room, step):
    """Carry tangents by the flow's variational equation; where that takes too long, mark growth that is unknown.

    The first tangent may shrink as the flow slows down, which every step resolves; only faster decay is unknown.
    """
    if short_steps(plan, room, step) <= MOST:
        room.tangents[:] = room.before
        carry_resolved(plan, rule, room, step)
        return
    known, least = True, min(0.0, room.grown[0, 0]) + _RESOLVED
    for m in range(1, plan.columns):
        known &= room.grown[m, 0] >= least
        if not known:
            room.grown[m, 0] = np.nan


@compiled
def _lose(room):
    room.state[:] = np.nan
    room.tangents[:] = np.nan


@compiled
def _error_size(plan, room, error):
    """Return the root mean square of an error, in units of the tolerance times 1 + |z|."""
    allowed, total = max(plan.tolerance, 100 * plan.rounding), 0.0
    for i in range(plan.size):
        before, after = abs(room.state[i]), abs(room.stepped[i])
        larger = before if before > after else after  # NaN where the state behind the step is
        total += (error[i, 0] / (allowed * (1 + larger))) ** 2
    return np.sqrt(total / plan.size)


@compiled
def _take_explicit_step(plan, rule, room, step):
    """Write the state behind a step of DOP853, and both estimates of its error."""
    for stage in range(plan.stages + 1):
        point = room.points[stage] if stage < plan.stages else room.stepped
        point[:] = room.state
        for other in range(min(stage, plan.stages)):
            weight = rule.tableau[stage, other]
            if weight != 0:
                for i in range(plan.size):
                    point[i] += weight * room.moves[other, i]
        if stage < plan.stages:
            call_two(plan.field, pointer(room.points[stage]), pointer(room.moves[stage]))
            for i in range(plan.size):
                room.moves[stage, i] *= step
    room.error[:] = 0
    room.second[:] = 0
    for other in range(plan.stages):
        for i in range(plan.size):
            room.error[i, 0] += rule.differences[0, other] * room.moves[other, i]
            room.second[i, 0] += rule.differences[1, other] * room.moves[other, i]


@compiled
def _carry_explicit(plan, rule, room, step):
    """Carry tangents over the step of DOP853 that was tried last."""
    size = plan.size
    for stage in range(plan.stages):
        call_two(plan.jacobian, pointer(room.points[stage]), pointer(room.jacobians[stage]))
    for m in range(plan.columns):
        tangent = room.tangents[m * size : (m + 1) * size]
        for stage in range(plan.stages + 1):
            room.rate[:] = tangent
            for other in range(min(stage, plan.stages)):
                weight = rule.tableau[stage, other]
                if weight != 0:
                    for i in range(size):
                        room.rate[i] += weight * room.moves[other, i]
            if stage < plan.stages:
                for i in range(size):
                    pushed = 0.0
                    for k in range(size):
                        pushed += room.jacobians[stage, i, k] * room.rate[k]
                    room.moves[stage, i] = step * pushed
        tangent[:] = room.rate
