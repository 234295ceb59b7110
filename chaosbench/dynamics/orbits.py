"""Orbits of step maps."""

import torch
from torch import Tensor

from chaosbench.dynamics.differences import Function
from chaosbench.dynamics.replay import Loop, Tensors
from chaosbench.dynamics.step_maps import Step, prepared
from chaosbench.kernels import compiled_orbits


def orbit(step: Step, states: Tensor, *, steps: int, transient: int = 0, every: int = 1) -> Tensor:
    """Return the states that follow `states`, which are not part of the orbit themselves.

    Args:
        step: a step map, or a function of the state as for `lyapunov_spectrum`.
        states: `(..., S)`.
        steps: number of states to return, `every` map steps apart.
        transient: map steps to drop first [steps].
        every: map steps from one returned state to the next [steps].

    Returns:
        `(..., steps, S)`; differentiable where the step is.
    """
    step_map, starts = prepared(step, states, differentiated=False)
    if (compiled := compiled_orbits(step, step_map.step, starts, steps=transient + steps * every)) is not None:
        rows = starts.reshape(-1, starts.shape[-1])
        path = compiled.orbit(rows, steps=steps, transient=transient, every=every)
        return path.reshape(*starts.shape[:-1], steps, -1)
    return iterates(step_map.step, starts, steps=steps, transient=transient, every=every)


def iterates(function: Function, states: Tensor, *, steps: int, transient: int = 0, every: int = 1) -> Tensor:
    """Return the states that follow, as `orbit` does, for a function that takes the leading axes of these states."""

    def body(carried: Tensors, _: Tensors) -> tuple[Tensors, Tensors]:
        (state,) = carried
        for _index in range(every):
            state = function(state)
        return (state,), (state,)

    if transient:
        (states,), _ = Loop(lambda carried, _: ((function(carried[0]),), ()))((states,), steps=transient)
    _, (path,) = Loop(body, axis=-2)((states,), steps=steps)
    return path


@torch.no_grad()
def states_after(step: Step, states: Tensor, counts: Tensor) -> Tensor:
    """Return each state after its own number of steps.

    Args:
        step: a step map, or a function of the state as for `lyapunov_spectrum`.
        states: `(B, S)`.
        counts: `(B,)`, at least 1 [steps].

    Returns:
        `(B, S)`.
    """
    step_map, states = prepared(step, states, differentiated=False)
    longest, earliest = int(counts.max()), int(counts.min())
    if (compiled := compiled_orbits(step, step_map.step, states, steps=longest)) is not None:
        return compiled.after(states, counts)
    reached = states
    for done in range(1, longest + 1):
        states = step_map.step(states)
        reached = torch.where(counts[:, None] == done, states, reached) if done >= earliest else reached
    return reached
