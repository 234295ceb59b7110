"""Steps of a flow for maps that show it at some times only: whole steps, and parts of a step."""

import torch
from torch import Tensor

from chaosbench.dynamics import VectorField
from chaosbench.kernels import CompiledProcedure, CompiledStep, compiled_part
from chaosbench.systems.flow import Flow


def carried(flow: Flow, joined: Tensor, counts: Tensor) -> Tensor:
    """Return states and tangents after numbers of the flow's steps that may differ between orbits.

    Args:
        flow: the flow.
        joined: states (column 0) and tangents, `(n, S, 1 + M)`.
        counts: `(n)` [steps].
    """
    states, tangents = joined[..., 0], joined[..., 1:]
    step = compiled_step(flow, joined)
    if step is not None and tangents.shape[-1] == 0:
        return step.after(states, counts)[..., None]
    if step is not None:
        return _joined(*step.carried(states, tangents, counts))
    for done in range(int(counts.max())):
        stepped = stepped_once(flow, joined)
        joined = torch.where((counts > done)[:, None, None], stepped, joined)
    return joined


def stepped_once(flow: Flow, joined: Tensor) -> Tensor:
    """Return states and tangents `(n, S, 1 + M)` one step later."""
    if joined.shape[-1] == 1:
        return flow.step(joined[..., 0])[..., None]
    return _joined(*flow.tangent_step(joined[..., 0], joined[..., 1:]))


def compiled_step(flow: Flow, joined: Tensor) -> CompiledStep | CompiledProcedure | None:
    """Return the flow's step as machine code for states and tangents `(n, S, 1 + M)`; None if torch must do it."""
    tangent_step = flow.tangent_step if joined.shape[-1] > 1 else None
    return compiled_part(flow, "step", flow.step, joined[..., 0], tangent_step=tangent_step)


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
    return over_own_time(flow, torch.cat([joined, row[:, None]], dim=-2))[:, :-1]


def over_own_time(flow: Flow, extended: Tensor) -> Tensor:
    """Return states that end with a time T, and tangents, `(n, S + 1, 1 + M)`, after that time."""
    return flow.integrated(extended, field=in_units_of_own_time(flow.field), dt=1.0)


def in_units_of_own_time(field: VectorField) -> VectorField:
    """Return the field times T for states that end with a time T, which does not change."""

    def value(state: Tensor) -> Tensor:
        return torch.cat([state[..., -1:] * field.value(state[..., :-1]), torch.zeros_like(state[..., -1:])], dim=-1)

    def product(state: Tensor, tangents: Tensor) -> Tensor:
        assert field.product is not None
        along, stretch = tangents[..., :-1, :], tangents[..., -1:, :]
        moved = state[..., -1:, None] * field.product(state[..., :-1], along)
        moved = moved + field.value(state[..., :-1])[..., None] * stretch
        return torch.cat([moved, torch.zeros_like(stretch)], dim=-2)

    return VectorField(value, product if field.product is not None else None)


def _joined(states: Tensor, tangents: Tensor) -> Tensor:
    return torch.cat([states[..., None], tangents], dim=-1)
