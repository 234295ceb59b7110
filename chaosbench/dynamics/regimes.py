"""What kind of motion an attractor carries, told from its exponents."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from chaosbench.dynamics.step_maps import Step, as_function

Regime = Literal["chaotic", "quasi-periodic", "periodic", "fixed point"]


def regime(exponents: Sequence[float], tolerances: Sequence[float], *, neutral: int, period: int | None) -> Regime:
    """The regime that the signs of the exponents tell.

    Args:
        exponents: leading ones first, descending.
        tolerances: of each; what is closer to zero than this counts as zero.
        neutral: how many are zero by symmetry unless the motion rests: 1 for a flow, 0 for a map.
        period: of a map's orbit [steps], from `shortest_period`; None where there is none, and for flows.

    Source:
        Ott 2002, Chaos in Dynamical Systems, second edition, Cambridge University Press, section 4.4.
    """
    if exponents[0] > tolerances[0]:
        return "chaotic"
    zeros = sum(abs(value) <= tolerance for value, tolerance in zip(exponents, tolerances, strict=True))
    if period is not None:
        return "fixed point" if period == 1 else "periodic"
    if zeros < neutral:
        return "fixed point"
    return "periodic" if zeros == neutral else "quasi-periodic"


@torch.no_grad()
def shortest_period(step: Step, states: Tensor, *, longest: int = 64, tolerance: float = 1e-6) -> int | None:
    """The number of steps after which every one of the states `(..., S)` comes back, up to `longest`; None: none does.

    `tolerance` is relative to the largest entry of the states, or to 1 where they are smaller.
    """
    function = as_function(step)
    allowed = tolerance * states.abs().max().clamp(min=1)
    current = states
    for count in range(1, longest + 1):
        current = function(current)
        if bool(((current - states).abs() <= allowed).all()):
            return count
    return None
