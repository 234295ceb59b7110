"""Step maps: a map from a state to the next state, and its derivative along tangent vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.autograd import forward_ad

from chaosbench.dynamics.conventions import convention_of
from chaosbench.errors import StepError


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
    """Make a step map of an object with `step` (and `tangent_step`), or of a bare function of the state.

    It is called as it is, on states with leading axes; `prepared` makes one of a function that a user wrote.
    """
    function = as_function(step)
    tangent_step = getattr(step, "tangent_step", None)
    return _Analytic(function, tangent_step) if tangent_step is not None else _ForwardMode(function)


def as_function(step: Step) -> Callable[[Tensor], Tensor]:
    """Return the `step` method of an object, or a bare function itself."""
    # A torch module is callable, too, so the method takes precedence.
    function = getattr(step, "step", step)
    if not callable(function):
        raise StepError(f"{step!r} cannot step: expected a function of the state or an object with `step`")
    return function


def prepared(step: Step, states: object, *, differentiated: bool = True) -> tuple[StepMap, Tensor]:
    """Return a step map of anything that a user may pass, and states as a tensor.

    A function that is written for a single state, for columns, for rows or for numpy arrays is called as it expects;
    what is known to take any leading axes is left alone.

    Args:
        step: a function of the state or an object with `step` (and `tangent_step`).
        states: tensor, array, list or number, `(..., S)`.
        differentiated: whether the derivative is needed, and therefore checked.

    Returns:
        The step map, and floating-point states `(..., S)`; whole numbers and numbers of Python become double precision.

    Raises:
        StepError: if the step cannot be called on these states, or if a part of its derivative is missing.
    """
    starts = as_states(step, states)
    function, tangent_step = as_function(step), getattr(step, "tangent_step", None)
    if starts.numel() == 0 or _within_a_transform(starts):
        return as_step_map(step), starts
    if trusted(step):
        if differentiated:  # a user's equation is tried at its first step, but not while tangents are carried
            function(starts)
        return as_step_map(step), starts
    name = getattr(function, "__qualname__", type(function).__name__)
    # A derivative of the user's own is for any leading axes; it is used where the step is, too.
    derived = differentiated and tangent_step is None
    convention = convention_of(function, starts, name=name, differentiated=derived)
    broad = convention.applied(function)
    starts = starts.to(broad(starts[..., :1, :] if starts.dim() > 1 else starts).dtype)
    if tangent_step is not None and convention.as_it_is:
        return _Analytic(function, tangent_step), starts
    return _ForwardMode(broad), starts


def trusted(step: Step) -> bool:
    """Return whether a step is known to take any leading axes: its class says so, or it has been prepared."""
    owner = getattr(step, "__self__", step)  # of a bound method
    return bool(getattr(owner, "broadcasts", False))


def _within_a_transform(states: Tensor) -> bool:
    """Return whether a transform or a recording is in progress, in which no values can be compared."""
    if torch._C._are_functorch_transforms_active() or torch.compiler.is_compiling():
        return True
    return states.is_cuda and torch.cuda.is_current_stream_capturing()


def as_states(step: Step, states: object) -> Tensor:
    """Return states as a floating-point tensor with at least one axis.

    Args:
        step: a module determines the precision of states that are no tensor.
        states: tensor, array, list or number.

    Raises:
        StepError: if these are no real numbers.
    """
    try:
        tensor = states if isinstance(states, Tensor) else torch.as_tensor(states, dtype=_precision(step))
    except (TypeError, ValueError, RuntimeError) as error:
        raise StepError(f"states must be numbers, (..., S); {type(states).__name__} is not: {error}") from error
    if tensor.is_complex() or tensor.shape[-1:] == (0,):
        raise StepError(f"states must be real numbers, (..., S); not {tensor.dtype} of shape {tuple(tensor.shape)}")
    tensor = tensor if tensor.is_floating_point() else tensor.double()
    return tensor[None] if tensor.dim() == 0 else tensor


def _precision(step: Step) -> torch.dtype:
    parameters = step.parameters() if isinstance(step, torch.nn.Module) else iter(())
    return next((parameter.dtype for parameter in parameters), torch.float64)


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

    broadcasts: ClassVar[bool] = True
    step: Callable[[Tensor], Tensor]
    tangent_step: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _ForwardMode:
    """A step that is differentiated in forward mode."""

    broadcasts: ClassVar[bool] = True
    step: Callable[[Tensor], Tensor]

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        return tangent_step_by_jvp(self.step, state, tangents)
