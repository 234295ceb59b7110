"""Tangents along a step of a collocation method that contracts them by more than the step itself resolves.

The derivative of an implicit step damps a direction with the rate z / h by a rational function of z, which is close to
e^z for small z alone. Here the variational equation dY/dt = J(u(t)) Y is integrated along the collocation polynomial u
by steps of DOP853 that are short enough, with a decomposition every few of them.
"""

import numpy as np

from chaosbench.kernels.lanes import pointer
from chaosbench.kernels.numba_compiled import compiled
from chaosbench.kernels.numba_orbits import call_two, orthonormalise

_STAGES = 12
_RATE = 1.2  # of a short step times the largest eigenvalue in size: the relative error of a rate is then below 1e-6
_DECOMPOSED = 8  # short steps between two decompositions
MOST = 10_000  # short steps in a step, beyond which exponents are left out


@compiled
def carry_resolved(plan, rule, room, step):
    """Replace orthonormal tangents by those behind the step from `room.state`, and write their growth.

    The increments of the stages are those of `implicit`.
    """
    few = short_steps(plan, room, step)
    room.grown[:] = 0
    size = step / few
    for k in range(few):
        for stage in range(_STAGES):
            time = 0.0
            for other in range(stage):
                time += rule.tableau[stage, other]
            _evaluate(plan, rule, room, (k + time) / few)
            call_two(plan.jacobian, pointer(room.rate), pointer(room.variations[stage]))
        for m in range(plan.columns):
            _carry(plan, rule, room, size, room.tangents[m * plan.size : (m + 1) * plan.size])
        if k % _DECOMPOSED == _DECOMPOSED - 1 or k == few - 1:
            orthonormalise(plan, 1, room.tangents, room.grown)


@compiled
def short_steps(plan, room, step):
    """Return the number of short steps that the largest rate at a stage asks for."""
    largest = 0.0
    for stage in range(plan.stages):
        largest = max(largest, _spectral_radius(room.jacobians[stage]))
    return int(min(np.ceil(step * largest / _RATE), 2.0 * MOST)) + 1


@compiled
def _spectral_radius(matrix):
    """Return ||A^16||^(1/16), which is above the largest eigenvalue in size, and close to it.

    The norm of a Jacobian itself may be thousands of times as large: in the Oregonator's spike, where concentrations of
    1e5 and 0.1 are coupled.
    """
    size = len(matrix)
    power, square, logarithm = np.empty((size, size)), np.empty((size, size)), 0.0
    power[:] = matrix
    for doubling in range(5):
        norm = np.sqrt((power * power).sum())
        if not 0 < norm < np.inf:
            return norm
        logarithm += np.log(norm) / 2**doubling
        power /= norm
        for i in range(size):
            for k in range(size):
                square[i, k] = 0.0
                for j in range(size):
                    square[i, k] += power[i, j] * power[j, k]
        power[:] = square
    return np.exp(logarithm)


@compiled
def _evaluate(plan, rule, room, time):
    """Write the collocation polynomial at a time between 0 and 1, in Lagrange's form with the node 0."""
    room.rate[:] = room.state
    for stage in range(plan.stages):
        weight = time / rule.nodes[stage]
        for other in range(plan.stages):
            if other != stage:
                weight *= (time - rule.nodes[other]) / (rule.nodes[stage] - rule.nodes[other])
        for i in range(plan.size):
            room.rate[i] += weight * room.moves[stage, i]


@compiled
def _carry(plan, rule, room, size, tangent):
    """Carry one tangent over a short step."""
    for stage in range(_STAGES + 1):
        room.rate[:] = tangent
        for other in range(min(stage, _STAGES)):
            weight = rule.tableau[stage, other]
            if weight != 0:
                for i in range(plan.size):
                    room.rate[i] += weight * room.pushed[other, i]
        if stage < _STAGES:
            for i in range(plan.size):
                total = 0.0
                for k in range(plan.size):
                    total += room.variations[stage, i, k] * room.rate[k]
                room.pushed[stage, i] = size * total
    tangent[:] = room.rate
