"""Steps that were not written for chaosbench: plain modules on `(B, S)`, and functions of numpy arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chaosbench.dynamics import Step
from chaosbench.dynamics.step_maps import as_function

_DIFFERENCE = 6e-6  # the cube root of double precision's rounding: where both errors of a central difference meet


class Batchwise(nn.Module):
    """A step that expects `(B, S)`, or a module called on that, as one of any leading axes."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self._function = as_function(step)
        if isinstance(step, nn.Module):
            self.inner = step

    def step(self, state: Tensor) -> Tensor:
        """The next state, `(..., S)` to `(..., S)`."""
        return self._function(state.reshape(-1, state.shape[-1])).reshape(state.shape)


class NumpyStep:
    """A function of arrays `(B, S)` as a step map; tangents by central differences unless its Jacobian is given.

    Args:
        function: the next states, `(B, S)` to `(B, S)`, float64.
        jacobian: `(B, S)` to `(B, S, S)`; None: differences, good to about 1e-10 of the state's size, or of
            1 where that is smaller.
    """

    def __init__(
        self,
        function: Callable[[NDArray[Any]], NDArray[Any]],
        jacobian: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ) -> None:
        self._function, self._jacobian = function, jacobian

    def step(self, state: Tensor) -> Tensor:
        """The next state, `(..., S)` to `(..., S)`."""
        flat = state.reshape(-1, state.shape[-1]).numpy()
        return torch.from_numpy(np.asarray(self._function(flat), dtype=np.float64)).reshape(state.shape)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The next state `(..., S)` and tangents `(..., S, M)`."""
        if self._jacobian is not None:
            flat = state.reshape(-1, state.shape[-1]).numpy()
            jacobian = torch.from_numpy(np.asarray(self._jacobian(flat), dtype=np.float64))
            return self.step(state), jacobian.reshape(*state.shape, state.shape[-1]) @ tangents
        # Along each tangent, in units of its length, so that neither a long nor a short one loses digits.
        length = tangents.norm(dim=-2, keepdim=True)
        size = state.abs().amax(-1)[..., None, None].clamp(min=1)
        offsets = _DIFFERENCE * size * tangents / length.clamp(min=1e-300)
        ahead, behind = ((state[..., None] + sign * offsets).mT for sign in (1, -1))
        slopes = (self.step(ahead) - self.step(behind)).mT / (2 * _DIFFERENCE * size)
        return self.step(state), slopes * length


def as_tensors(step: Any, states: Tensor | NDArray[Any]) -> tuple[Step, Tensor]:
    """A step map of tensors with states to start from; of arrays, the step is taken for a function of arrays.

    A module, and an object with `step`, is one of tensors even where the states are an array.
    """
    if isinstance(states, np.ndarray):
        found = torch.from_numpy(np.array(states, dtype=np.float64))
        if isinstance(step, nn.Module):
            found = found.to(next((one.dtype for one in step.parameters()), torch.float64))
        elif not hasattr(step, "step"):
            return NumpyStep(step), found
        states = found
    plain = states.dim() == 2 and not hasattr(step, "tangent_step")
    return (Batchwise(step) if plain else step), states
