"""Steps of implicit Runge-Kutta methods, with the exact derivative of the step."""

from typing import NamedTuple

import torch
from torch import Tensor

from chaosbench.dynamics.collocation import Collocation
from chaosbench.dynamics.vector_fields import VectorField

_ITERATIONS = 16  # of Newton's method; more are needed only where the step is far too long
_REFRESHED = 5  # iterations with one Jacobian


class ImplicitStep(NamedTuple):
    """The result of `implicit_step`.

    Attributes:
        joined: state and tangents after the step, `(n, S, 1 + M)`; NaN where Newton's method did not converge.
        error: estimate of the state's error from the embedded formula, `(n, S)`, without a graph.
    """

    joined: Tensor
    error: Tensor


class _Decomposition(NamedTuple):
    """The LU decomposition of the derivative of the equations of the stages, Z_i = h sum_j a_ij f(z + Z_j)."""

    factors: Tensor
    pivots: Tensor

    def solve(self, right: Tensor) -> Tensor:
        """Return the solution for right-hand sides `(n, s * S, M)`."""
        solution: Tensor = torch.linalg.lu_solve(self.factors, self.pivots, right)
        return solution


def implicit_step(field: VectorField, joined: Tensor, dt: Tensor, rule: Collocation) -> ImplicitStep:
    """Return state and tangents after one step of a collocation method.

    Newton's method solves for the stages of each state. Its last iteration, with the field's Jacobian at every stage,
    alone is part of the graph: by the implicit function theorem its derivative is the derivative of the step, in
    forward and in reverse mode. Tangents reuse the decomposition of that iteration.

    Args:
        field: the vector field.
        joined: states and tangents, `(n, S, 1 + M)`; M may be 0.
        dt: step sizes, `(n)` [system time].
        rule: from `collocation`.
    """
    state, size = joined[..., 0], joined.shape[1]
    scaled = dt[:, None, None] * rule.matrix.to(joined)  # (n, s, s)
    stages, first = _solved(field, state.detach(), scaled)
    jacobians = _jacobians(field, state.detach(), stages)
    decomposition = _decomposed(jacobians, scaled)
    residual = _residual(field, state, stages, scaled)
    stages = stages - decomposition.solve(residual.flatten(1)[..., None]).view_as(stages)
    ends = rule.ends.to(joined)
    columns = [(state + torch.einsum("s,nsd->nd", ends, stages))[..., None]]
    if joined.shape[-1] > 1:
        tangents = joined[..., 1:]
        pushed = (jacobians @ tangents[:, None]).flatten(2)  # (n, s, S * M)
        right = (scaled @ pushed).reshape(len(joined), -1, tangents.shape[-1])
        carried = decomposition.solve(right).unflatten(1, (-1, size))
        columns.append(tangents + torch.einsum("s,nsdm->ndm", ends, carried))
    return ImplicitStep(torch.cat(columns, dim=-1), _error(first, stages.detach(), dt, rule))


def _solved(field: VectorField, state: Tensor, scaled: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Return increments Z of the stages `(n, s, S)`, to about the square root of rounding; NaN without convergence.

    The Jacobian is that at the start of the step, and a new one at every stage after each few iterations. States are
    iterated each by itself: one that has converged does not change while others go on. The field and its Jacobian at
    the start, `(n, S)` and `(n, S, S)`, are returned as well.
    """
    stages = state.new_zeros(len(state), scaled.shape[1], state.shape[-1])
    allowed = torch.finfo(state.dtype).eps ** 0.55 * (1 + state.abs().amax(-1))
    going = torch.ones(len(state), dtype=torch.bool, device=state.device)
    with torch.no_grad():
        slope, jacobian = field.value(state), field.jacobian(state)
        jacobians = jacobian[:, None].expand(-1, stages.shape[1], -1, -1)
        residual = -scaled.sum(-1, keepdim=True) * slope[:, None]  # at Z = 0, where all stages are equal
        for iteration in range(_ITERATIONS):
            if iteration % _REFRESHED == 0:
                jacobians = _jacobians(field, state, stages) if iteration else jacobians
                decomposition = _decomposed(jacobians, scaled)
            change = decomposition.solve(residual.flatten(1)[..., None]).view_as(stages)
            stages = torch.where(going[:, None, None], stages - change, stages)
            going = going & ~(change.abs().amax((-1, -2)) <= allowed)
            if not bool(going.any()):
                break
            residual = _residual(field, state, stages, scaled)
    return torch.where(going[:, None, None], torch.nan, stages), (slope, jacobian)


def _residual(field: VectorField, state: Tensor, stages: Tensor, scaled: Tensor) -> Tensor:
    """Return Z - h A f(z + Z), `(n, s, S)`."""
    slopes: Tensor = field.value((state[:, None] + stages).flatten(0, 1)).unflatten(0, (-1, stages.shape[1]))
    return stages - scaled @ slopes


def _jacobians(field: VectorField, state: Tensor, stages: Tensor) -> Tensor:
    """Return the field's Jacobians at the stages, `(n, s, S, S)`, without a graph."""
    jacobians: Tensor = field.jacobian((state[:, None] + stages).flatten(0, 1)).unflatten(0, (-1, stages.shape[1]))
    return jacobians


def _decomposed(jacobians: Tensor, scaled: Tensor) -> _Decomposition:
    """Return the decomposition of 1 - h A x J, `(n, s * S, s * S)`."""
    size = jacobians.shape[1] * jacobians.shape[-1]
    coupling = scaled[:, :, None, :, None] * jacobians.transpose(1, 2)[:, None]  # (n, s, S, s, S)
    eye = torch.eye(size, dtype=jacobians.dtype, device=jacobians.device)
    factors, pivots, _ = torch.linalg.lu_factor_ex(eye - coupling.reshape(-1, size, size))
    return _Decomposition(factors, pivots)


def _error(first: tuple[Tensor, Tensor], stages: Tensor, dt: Tensor, rule: Collocation) -> Tensor:
    """Return the estimate of the error, filtered by (1 - h gamma J)^-1 so that stiff components do not dominate it.

    Args:
        first: the field and its Jacobian at the start of the step, `(n, S)` and `(n, S, S)`.
        stages, dt, rule: as above.
    """
    slope, jacobian = first
    with torch.no_grad():
        raw = rule.damping * dt[:, None] * slope + torch.einsum("s,nsd->nd", rule.errors.to(stages), stages)
        eye = torch.eye(slope.shape[-1], dtype=slope.dtype, device=slope.device)
        filtered = eye - rule.damping * dt[:, None, None] * jacobian
        error: Tensor = torch.linalg.solve_ex(filtered, raw[..., None]).result[..., 0]
    return error
