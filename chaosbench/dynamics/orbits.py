"""Orbits of step maps."""

import torch
from torch import Tensor

from chaosbench.dynamics.step_maps import Step, as_function


def orbit(step: Step, states: Tensor, *, steps: int, transient: int = 0, every: int = 1) -> Tensor:
    """Return the states that follow `states`, which are not part of the orbit themselves.

    Args:
        step: a step map, or a bare function of the state.
        states: `(..., S)`.
        steps: number of states to return, `every` map steps apart.
        transient: map steps to drop first [steps].
        every: map steps from one returned state to the next [steps].

    Returns:
        `(..., steps, S)`; differentiable where the step is.
    """
    function = as_function(step)
    for _ in range(transient):
        states = function(states)
    collected = []
    for _ in range(steps):
        for _ in range(every):
            states = function(states)
        collected.append(states)
    return torch.stack(collected, dim=-2)
