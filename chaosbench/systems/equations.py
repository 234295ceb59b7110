"""Equations as users write them: for one state, for rows, for columns, or with numpy."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from torch import Tensor
from torch.autograd import forward_ad

from chaosbench.dynamics import Convention, convention_of

_METHODS = ("step", "vector_field")


def accept_any_axes(system: type) -> None:
    """Make `step` and `vector_field`, where a class defines them, right for states with any leading axes.

    `x, y, z = state` is right for a single state, and unpacks the wrong axis of three states. How an equation is to be
    called is found at its first call, by comparison with calls on single states.
    """
    for name in _METHODS:
        method = vars(system).get(name)
        if callable(method) and not getattr(method, "__isabstractmethod__", False):
            setattr(system, name, _any_axes(method))


def _any_axes(method: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    known: dict[tuple[type, int], Convention] = {}

    @wraps(method)
    def call(system: Any, state: Tensor) -> Tensor:
        if state.numel() == 0:
            return state.clone()
        key = type(system), state.shape[-1]
        convention = known.get(key)
        if convention is None:
            bound = partial(method, system)
            convention = convention_of(bound, state, name=f"{type(system).__name__}.{method.__name__}")
            if forward_ad._current_level < 0:  # otherwise its derivative was not checked
                known[key] = convention
        if convention.as_it_is:
            return method(system, state)
        return convention.applied(partial(method, system))(state)

    return call
