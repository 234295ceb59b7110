"""Integration of each orbit of a flow over a time of its own."""

import torch
from torch import Tensor

from chaosbench.dynamics import VectorField
from chaosbench.systems.flow import Flow


def advanced(flow: Flow, joined: Tensor, times: Tensor) -> Tensor:
    """Return states and tangents after times that differ between orbits, by the flow's own method.

    The field times T is integrated over one unit, with T as a state that does not change, so that every method applies
    as it is. Tangents are those at fixed times.

    Args:
        flow: the flow.
        joined: states (column 0) and tangents, `(n, S, 1 + M)`.
        times: at most a step each, `(n)` [system time].
    """
    row = torch.cat([times[:, None], times.new_zeros(len(times), joined.shape[-1] - 1)], dim=-1)
    field = flow.field

    def value(state: Tensor) -> Tensor:
        return torch.cat([state[..., -1:] * field.value(state[..., :-1]), torch.zeros_like(state[..., -1:])], dim=-1)

    def product(state: Tensor, tangents: Tensor) -> Tensor:
        assert field.product is not None
        along, stretch = tangents[..., :-1, :], tangents[..., -1:, :]
        moved = state[..., -1:, None] * field.product(state[..., :-1], along)
        moved = moved + field.value(state[..., :-1])[..., None] * stretch
        return torch.cat([moved, torch.zeros_like(stretch)], dim=-2)

    scaled = VectorField(value, product if field.product is not None else None)
    extended = torch.cat([joined, row[:, None]], dim=-2)
    return flow.integrated(extended, field=scaled, dt=1.0)[:, :-1]
