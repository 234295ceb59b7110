"""A vector field with its derivative, as integrators need it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

from chaosbench.dynamics.step_maps import tangent_step_by_jvp


@dataclass(frozen=True)
class VectorField:
    """A vector field dz/dt and the product of its Jacobian with tangent vectors.

    States and tangents are integrated as one tensor, `joined`, `(..., S, 1 + M)`: the state is column 0.

    Attributes:
        value: dz/dt, `(..., S)` to `(..., S)` [1 / system time].
        product: the Jacobian times tangents, `(..., S), (..., S, M)` to `(..., S, M)`; None: by differentiation.
    """

    value: Callable[[Tensor], Tensor]
    product: Callable[[Tensor, Tensor], Tensor] | None = None

    def joined(self, joined: Tensor) -> Tensor:
        """Return the time derivatives of a state and its tangents, `(..., S, 1 + M)`."""
        state, tangents = joined[..., 0], joined[..., 1:]
        if tangents.shape[-1] == 0:
            return self.value(state)[..., None]
        if self.product is None:
            slope, carried = tangent_step_by_jvp(self.value, state, tangents)
        else:
            slope, carried = self.value(state), self.product(state, tangents)
        return torch.cat([slope[..., None], carried], dim=-1)

    def jacobian(self, points: Tensor) -> Tensor:
        """Return the Jacobian at each point, `(n, S)` to `(n, S, S)`, without a graph."""
        points = points.detach()
        if self.product is None and forward_ad._current_level >= 0:  # forward mode cannot be nested
            return _by_reverse_mode(self.value, points)
        eye = torch.eye(points.shape[-1], dtype=points.dtype, device=points.device)
        directions = eye.expand(*points.shape, points.shape[-1])
        with torch.no_grad():
            if self.product is None:
                return tangent_step_by_jvp(self.value, points, directions)[1]
            return self.product(points, directions)


def _by_reverse_mode(value: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Return the Jacobian at each point, `(n, S, S)`, one row for each backward pass."""
    with torch.enable_grad():
        leaves = points.clone().requires_grad_()
        slopes = value(leaves)
        rows = [
            torch.autograd.grad(slopes[..., row].sum(), leaves, retain_graph=True, materialize_grads=True)[0]
            for row in range(points.shape[-1])
        ]
    return torch.stack(rows, dim=-2)
