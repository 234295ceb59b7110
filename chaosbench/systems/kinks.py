"""Kinks and jumps of a vector field, which lower the order of a step that crosses them."""

from typing import NamedTuple

import torch
from torch import Tensor

from chaosbench.systems.flow import Flow

_PARTS = 64  # of the line along which a field is compared
_BEYOND = 0.125  # part of the line that is added at each end, since stages of a method look a little aside
_SMOOTH = 0.35  # second differences at half the distance: a quarter for a smooth field, half for one with a kink
_ROUNDING = 1e-10  # second differences below this part of the field are rounding


class Crossed(NamedTuple):
    """Masks `(B,)` of lines from each state to the next that cross a kink, or a jump, which is no kink."""

    kink: Tensor
    jump: Tensor


@torch.no_grad()
def crossed(flow: Flow, states: Tensor, stepped: Tensor) -> Crossed:
    """Find kinks and jumps of the field on the line from each state to the next, `(B, S)` each.

    The field is compared at points of the line and at every other one of them: a second difference over half the
    distance is a quarter where the field is smooth, half at a kink, and the same at a jump. A jump is as high in the
    smallest part of the line that contains it.
    """
    change = stepped - states
    begin, end = states - _BEYOND * change, stepped + _BEYOND * change
    field = _along(flow, begin, end)
    fine, coarse = _bend(field), _bend(field[::2])
    rough = (fine > _SMOOTH * coarse) & (fine > _ROUNDING * field.abs().amax(dim=(0, 1)))
    jump = torch.zeros_like(rough)
    for entry in rough.any(0).nonzero().flatten().tolist():
        height, part = field[..., entry].diff(dim=0).abs().max(dim=0)
        low, high = (torch.lerp(begin, end, (part + side)[:, None].to(begin) / _PARTS) for side in (0, 1))
        steepest = _along(flow, low, high)[..., entry].diff(dim=0).abs().amax(dim=0)
        jump[:, entry] = rough[:, entry] & (steepest > 0.5 * height)
    return Crossed(rough.any(-1) & ~jump.any(-1), jump.any(-1))


def _along(flow: Flow, begin: Tensor, end: Tensor) -> Tensor:
    """Return the field at points of each line, `(B, S)` twice to `(_PARTS + 1, B, S)`."""
    shares = torch.linspace(0, 1, _PARTS + 1, dtype=begin.dtype)[:, None, None]
    return flow.vector_field(torch.lerp(begin, end, shares.expand(-1, *begin.shape)))


def _bend(field: Tensor) -> Tensor:
    """Return the largest second difference; two in a row are added, between which that of a kink is divided."""
    second = field.diff(n=2, dim=0)
    return (second[1:] + second[:-1]).abs().amax(dim=0)
