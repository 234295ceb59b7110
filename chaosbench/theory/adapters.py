"""Adapters that make step maps of modules and of functions of numpy arrays."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chaosbench.dynamics import Step, StepMap, prepared


class SteppedModule(nn.Module):
    """A step map for any leading axes, with the parameters of the module that steps."""

    broadcasts: ClassVar[bool] = True

    def __init__(self, module: nn.Module, step_map: StepMap) -> None:
        super().__init__()
        self.inner, self._step_map = module, step_map

    def step(self, state: Tensor) -> Tensor:
        """Return the next state, `(..., S)` to `(..., S)`."""
        return self._step_map.step(state)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state `(..., S)` and the tangents `(..., S, M)` after the step."""
        return self._step_map.tangent_step(state, tangents)


class NumpyStep:
    """A step map from a function of numpy arrays and its Jacobian.

    A function without a Jacobian needs no adapter: whatever takes a step takes the function itself.

    Args:
        function: returns the next state, for one state `(S,)`, rows `(B, S)` or columns `(S, B)`, float64.
        jacobian: `(B, S)` to `(B, S, S)`; None: central differences, with an error of about 1e-10 times the size of
            the state, or times 1 for a smaller state.
    """

    broadcasts: ClassVar[bool] = True

    def __init__(
        self,
        function: Callable[[NDArray[Any]], NDArray[Any]],
        jacobian: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ) -> None:
        self._function, self._jacobian = function, jacobian
        self._step_map: StepMap | None = None

    def step(self, state: Tensor) -> Tensor:
        """Return the next state, `(..., S)` to `(..., S)`."""
        return self._prepared(state).step(state)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state `(..., S)` and the tangents `(..., S, M)` after the step."""
        if self._jacobian is None:
            return self._prepared(state).tangent_step(state, tangents)
        flat = state.reshape(-1, state.shape[-1]).numpy()
        jacobian = torch.from_numpy(np.asarray(self._jacobian(flat), dtype=np.float64))
        return self.step(state), jacobian.reshape(*state.shape, state.shape[-1]) @ tangents

    def _prepared(self, state: Tensor) -> StepMap:
        if self._step_map is None:
            self._step_map = prepared(self._function, state)[0]  # type: ignore[arg-type]  # it takes arrays
        return self._step_map


def as_tensors(step: Any, states: Any) -> tuple[Step, Tensor]:
    """Return a step map on tensors, and the states as a tensor.

    Args:
        step: a module, an object with `step`, or a function of the state, of tensors or of numpy arrays.
        states: `(C, S)` or `(K, C, S)`, a tensor, an array or lists.
    """
    step_map, starts = prepared(step, states)
    if isinstance(step, nn.Module) and not getattr(step, "broadcasts", False):
        return SteppedModule(step, step_map), starts
    return (step if getattr(step, "broadcasts", False) else step_map), starts
