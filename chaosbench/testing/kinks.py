"""The error of a flow's step where its vector field is smooth: a step across a kink or a jump has a low order."""

import torch
from torch import Generator, Tensor

from chaosbench.systems.flow import Flow

_PARTS = 64  # of the line along which a field is compared
_BEYOND = 0.125  # part of the line that is added at each end, since stages of a method look a little aside
_SMOOTH = 0.35  # second differences at half the distance: a quarter for a smooth field, half for one with a kink
_ROUNDING = 1e-10  # second differences below this part of the field are rounding


def smooth_step_error(flow: Flow) -> tuple[float, float]:
    """Return the largest error of steps that meet no kink of the vector field, and the share of those that do.

    As `flow.step_error()`, at the same states, and before coordinates are wrapped.

    Returns:
        in standard deviations of the attractor [1 / system time]; NaN where every step meets a kink; and a share.
    """
    states = flow.initial_state(64, Generator().manual_seed(0))
    stepped = Flow.step(flow, states)
    difference = (stepped - Flow.step(flow.refined(), states)).abs() / states.std(0)
    met = meets_kink(flow, states, stepped)
    errors = difference.amax(dim=-1)[~met] / flow.dt
    return (float(errors.max()) if len(errors) else float("nan")), float(met.double().mean())


def meets_kink(flow: Flow, states: Tensor, stepped: Tensor) -> Tensor:
    """Return whether the field has a kink or a jump along the line from each state to the next, `(B, S) x 2 -> (B,)`.

    The field is compared at points of the line and at every other one of them: a second difference over half the
    distance is a quarter where the field is smooth, half at a kink, and the same at a jump.
    """
    along = torch.linspace(-_BEYOND, 1 + _BEYOND, _PARTS + 1, dtype=states.dtype)[:, None, None]
    field = flow.vector_field(states + along * (stepped - states))
    fine, coarse = _bend(field), _bend(field[::2])
    return ((fine > _SMOOTH * coarse) & (fine > _ROUNDING * field.abs().amax(dim=(0, 1)))).any(dim=-1)


def _bend(field: Tensor) -> Tensor:
    """Return the largest second difference; two in a row are added, between which that of a kink is divided."""
    second = field.diff(n=2, dim=0)
    return (second[1:] + second[:-1]).abs().amax(dim=0)
