"""The trace of a flow's Jacobian, integrated along orbits as a further variable of the flow."""

import math

import torch
from torch import Tensor

from chaosbench.dynamics import VectorField, tangent_step_by_jvp
from chaosbench.systems.flow import Flow
from chaosbench.systems.flow_steps import in_units_of_own_time


def field_with_trace(flow: Flow) -> VectorField:
    """Return the flow's field for states with a last entry, whose rate of change is the trace of the Jacobian."""
    size, field = flow.state_size, flow.field

    def value(joined: Tensor) -> Tensor:
        points = joined[..., :size]
        eye = torch.eye(size, dtype=points.dtype, device=points.device).expand(*points.shape, size)
        slope, jacobian = tangent_step_by_jvp(field.value, points, eye)
        return torch.cat([slope, jacobian.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True)], dim=-1)

    def product(joined: Tensor, tangents: Tensor) -> Tensor:
        # Newton's method needs no derivative of the trace: the trace does not act back on the flow.
        points, along = joined[..., :size], tangents[..., :size, :]
        carried = field.product(points, along) if field.product else tangent_step_by_jvp(field.value, points, along)[1]
        return torch.cat([carried, torch.zeros_like(carried[..., :1, :])], dim=-2)

    return VectorField(value, product)


@torch.no_grad()
def integrated_trace(flow: Flow, states: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """Return the states after times that differ between orbits, and the integral of the trace until then.

    The field times T is integrated over one unit, in as many equal steps as the longest time needs.

    Args:
        flow: the flow.
        states: starts, `(n, S)`.
        times: `(n)` [system time].

    Returns:
        `(n, S)`, and `(n)`.
    """
    field = in_units_of_own_time(field_with_trace(flow))
    steps = max(1, math.ceil(float(times.nan_to_num(0.0).max()) / flow.dt))
    joined = torch.cat([states, states.new_zeros(len(states), 1), times[:, None]], dim=-1)[..., None]
    for _ in range(steps):
        joined = flow.integrated(joined, field=field, dt=1 / steps)
    return joined[:, :-2, 0], joined[:, -2, 0]
