"""Remarks on vector fields that are not smooth, whose exponents a differentiated step may miss."""

import torch
from torch import Tensor

from chaosbench.dynamics import orbit
from chaosbench.systems.flow import Flow
from chaosbench.systems.kinks import crossed

_ORBITS, _STEPS = 64, 32


@torch.no_grad()
def rough_field(flow: Flow, states: Tensor) -> str | None:
    """Return a remark if orbits cross a jump or a kink of the vector field; None if they cross neither.

    Args:
        flow: the flow.
        states: points of its orbits, `(B, S)`.
    """
    if flow.own_step:
        return None
    before = states[:_ORBITS]
    path = torch.cat([before[:, None], orbit(flow, before, steps=_STEPS)], dim=1)
    begin, end = path[:, :-1].flatten(0, 1), path[:, 1:].flatten(0, 1)
    straight = Flow.step(flow, begin) if type(flow).step is not Flow.step else end  # before coordinates are wrapped
    kink, jump = (float(mask.double().mean()) for mask in crossed(flow, begin, straight))
    if jump:
        return (
            f"the vector field jumps where {jump:.2g} of all steps cross it: the derivative of a step does not contain "
            "the jump, so that exponents may be wrong; write it as a steep smooth function, such as tanh(x / 0.01) "
            "for sign(x)"
        )
    if kink:
        return (
            f"the vector field has a kink that {kink:.2g} of all steps cross, and these steps are of low order, "
            "however exact others are; a shorter dt makes them rarer, method='adaptive' makes them shorter"
        )
    return None
