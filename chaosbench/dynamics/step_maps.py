"""Step maps: a map from a state to the next state, and its derivative along tangent vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.autograd import forward_ad


class StepMap(Protocol):
    """A map of a state space into itself: a system, or a model in free running."""

    def step(self, state: Tensor, /) -> Tensor:
        """Return the next state, `(..., S)` to `(..., S)`."""

    def tangent_step(self, state: Tensor, tangents: Tensor, /) -> tuple[Tensor, Tensor]:
        """Return the next state `(..., S)`, and the Jacobian times the tangent vectors, `(..., S, M)`."""


class Stepping(Protocol):
    """An object with `step` alone; forward-mode differentiation gives its tangents."""

    def step(self, state: Tensor, /) -> Tensor:
        """Return the next state, `(..., S)` to `(..., S)`."""


Step = Callable[[Tensor], Tensor] | Stepping | StepMap


def as_step_map(step: Step) -> StepMap:
    """Make a step map of an object with `step` (and `tangent_step`), or of a bare function of the state."""
    function = as_function(step)
    tangent_step = getattr(step, "tangent_step", None)
    return _Analytic(function, tangent_step) if tangent_step is not None else _ForwardMode(function)


def as_function(step: Step) -> Callable[[Tensor], Tensor]:
    """Return the `step` method of an object, or a bare function itself."""
    # A torch module is callable, too, so the method takes precedence.
    function = getattr(step, "step", step)
    assert callable(function), f"{step!r} cannot step: expected a function of the state or an object with `step`"
    return function


def tangent_step_by_jvp(step: Callable[[Tensor], Tensor], state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    """Return the next state and tangent vectors by forward-mode differentiation of `step`.

    The M tangent vectors share the last batch axis, `(..., B, S)` to `(..., B * M, S)`, so that a step that requires
    exactly `(K, B, S)` works.

    Args:
        step: the map, `(..., S)` to `(..., S)`.
        state: `(..., S)`.
        tangents: `(..., S, M)`.

    Returns:
        The next state `(..., S)` and tangents `(..., S, M)`.
    """
    if state.dim() == 1:
        stepped, carried = tangent_step_by_jvp(step, state[None], tangents[None])
        return stepped[0], carried[0]
    assert not torch.is_inference_mode_enabled(), "inference mode loses tangents silently; use torch.no_grad instead"
    count = tangents.shape[-1]
    # Forward mode rejects expanded tensors, hence `contiguous`; torch.func.jvp would take 2.4 times as long.
    points = state.repeat_interleave(count, dim=-2).contiguous()
    directions = tangents.mT.flatten(-3, -2).contiguous()
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(points, directions)
        stepped, carried = forward_ad.unpack_dual(step(dual))
    carried = torch.zeros_like(points) if carried is None else carried  # None from a step that ignores its state
    return stepped[..., ::count, :], carried.unflatten(-2, (state.shape[-2], count)).mT


@dataclass(frozen=True)
class _Analytic:
    """A step and an analytic tangent step."""

    step: Callable[[Tensor], Tensor]
    tangent_step: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _ForwardMode:
    """A step that is differentiated in forward mode."""

    step: Callable[[Tensor], Tensor]

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        return tangent_step_by_jvp(self.step, state, tangents)
