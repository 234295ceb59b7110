"""Step maps: whatever takes a state to the next one, and its derivative along tangent vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.autograd import forward_ad


class StepMap(Protocol):
    """A system, a model run free, or any map of the state space into itself."""

    def step(self, state: Tensor, /) -> Tensor:
        """The next state, `(..., S)` to `(..., S)`."""

    def tangent_step(self, state: Tensor, tangents: Tensor, /) -> tuple[Tensor, Tensor]:
        """The next state `(..., S)` and the tangent vectors `(..., S, M)` carried along."""


class Stepping(Protocol):
    """An object that can step; its tangents follow by forward-mode differentiation."""

    def step(self, state: Tensor, /) -> Tensor:
        """The next state, `(..., S)` to `(..., S)`."""


Step = Callable[[Tensor], Tensor] | Stepping | StepMap


def as_step_map(step: Step) -> StepMap:
    """A step map from an object with `step` (and `tangent_step`), or from a bare function of the state."""
    function = as_function(step)
    tangent_step = getattr(step, "tangent_step", None)
    return _Pair(function, tangent_step) if tangent_step is not None else _ByJvp(function)


def as_function(step: Step) -> Callable[[Tensor], Tensor]:
    """The step alone: the object's method, or the function itself."""
    # A torch module is callable, too, so that the method must be asked for first.
    function = getattr(step, "step", step)
    assert callable(function), f"{step!r} cannot step: expected a function of the state or an object with `step`"
    return function


def tangent_step_by_jvp(step: Callable[[Tensor], Tensor], state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    """The next state and tangent vectors by forward-mode differentiation of `step`.

    The M tangent vectors ride on the last batch axis, `(..., B, S)` to `(..., B * M, S)`, so that a step which
    expects exactly `(K, B, S)` finds it.

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
    # Forward mode refuses stretched tensors, hence `contiguous`; torch.func.jvp would take 2.4 times as long.
    points = state.repeat_interleave(count, dim=-2).contiguous()
    directions = tangents.mT.flatten(-3, -2).contiguous()
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(points, directions)  # torch types neither
        stepped, carried = forward_ad.unpack_dual(step(dual))
    carried = torch.zeros_like(points) if carried is None else carried  # None from a step that ignores its state
    return stepped[..., ::count, :], carried.unflatten(-2, (state.shape[-2], count)).mT


@dataclass(frozen=True)
class _Pair:
    """A step and a tangent step of the object's own."""

    step: Callable[[Tensor], Tensor]
    tangent_step: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _ByJvp:
    """A step whose tangents are found by forward-mode differentiation."""

    step: Callable[[Tensor], Tensor]

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        return tangent_step_by_jvp(self.step, state, tangents)
