"""Adapters that turn plain modules on `(B, S)` and functions of numpy arrays into step maps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chaosbench.dynamics import Step
from chaosbench.dynamics.step_maps import as_function

_DIFFERENCE = 6e-6  # cube root of the rounding error, the optimum of a central difference in double precision


class Batchwise(nn.Module):
    """A step map for any leading axes, from one that expects `(B, S)`."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self._function = as_function(step)
        if isinstance(step, nn.Module):
            self.inner = step

    def step(self, state: Tensor) -> Tensor:
        """Return the next state, `(..., S)` to `(..., S)`."""
        return self._function(state.reshape(-1, state.shape[-1])).reshape(state.shape)


class NumpyStep:
    """A step map from a function of numpy arrays, with tangents by central differences or from its Jacobian.

    Args:
        function: returns the next states, `(B, S)` to `(B, S)`, float64.
        jacobian: `(B, S)` to `(B, S, S)`; None: central differences, with an error of about 1e-10 times the size of
            the state, or times 1 for a smaller state.
    """

    def __init__(
        self,
        function: Callable[[NDArray[Any]], NDArray[Any]],
        jacobian: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ) -> None:
        self._function, self._jacobian = function, jacobian

    def step(self, state: Tensor) -> Tensor:
        """Return the next state, `(..., S)` to `(..., S)`."""
        flat = state.reshape(-1, state.shape[-1]).numpy()
        return torch.from_numpy(np.asarray(self._function(flat), dtype=np.float64)).reshape(state.shape)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state `(..., S)` and the tangents `(..., S, M)` after the step."""
        if self._jacobian is not None:
            flat = state.reshape(-1, state.shape[-1]).numpy()
            jacobian = torch.from_numpy(np.asarray(self._jacobian(flat), dtype=np.float64))
            return self.step(state), jacobian.reshape(*state.shape, state.shape[-1]) @ tangents
        # Differences are taken along unit tangents, so that long and short tangents keep all digits.
        length = tangents.norm(dim=-2, keepdim=True)
        size = state.abs().amax(-1)[..., None, None].clamp(min=1)
        offsets = _DIFFERENCE * size * tangents / length.clamp(min=1e-300)
        ahead, behind = ((state[..., None] + sign * offsets).mT for sign in (1, -1))
        slopes = (self.step(ahead) - self.step(behind)).mT / (2 * _DIFFERENCE * size)
        return self.step(state), slopes * length


def as_tensors(step: Any, states: Tensor | NDArray[Any]) -> tuple[Step, Tensor]:
    """Return a step map on tensors, and the states as a tensor.

    Args:
        step: a module, an object with `step`, or a function of the state, which takes and returns numpy arrays if the
            states are an array.
        states: `(C, S)` or `(K, C, S)`.
    """
    if isinstance(states, np.ndarray):
        tensor = torch.from_numpy(np.array(states, dtype=np.float64))
        if isinstance(step, nn.Module):
            tensor = tensor.to(next((parameter.dtype for parameter in step.parameters()), torch.float64))
        elif not hasattr(step, "step"):
            return NumpyStep(step), tensor
        states = tensor
    plain = states.dim() == 2 and not hasattr(step, "tangent_step")
    return (Batchwise(step) if plain else step), states
