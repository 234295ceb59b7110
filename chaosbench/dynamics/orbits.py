"""Orbits of step maps."""

from torch import Tensor

from chaosbench.dynamics.differences import Function
from chaosbench.dynamics.replay import Loop, Tensors
from chaosbench.dynamics.step_maps import Step, prepared


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
