"""Orbits of step maps."""

import torch
from torch import Tensor

from chaosbench.dynamics.step_maps import Step, as_function


def orbit(step: Step, states: Tensor, *, steps: int, transient: int = 0, every: int = 1) -> Tensor:
    """The states that follow `states`, which are themselves not part of the orbit.

    Args:
        step: a step map, or its bare function.
        states: `(..., S)`.
        steps: number of states returned [steps of `every` map steps each].
        transient: map steps dropped first [steps].
        every: map steps from one returned state to the next [steps].

    Returns:
        `(..., steps, S)`; differentiable wherever the step is.
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
