"""Equations as users write them: for one state, for rows, for columns, or with numpy."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import forward_ad

from chaosbench.dynamics import Convention, convention_of

_METHODS = ("step", "vector_field")
_AXES = {"observe": (1,), "tangent_field": (1, 2)}  # of the arguments, for one state

_Way = Literal["as it is", "mapped", "one by one"]


def accept_any_axes(system: type) -> None:
    """Make the methods of a class that takes states right for states with any leading axes.

    These are `step`, `vector_field`, `observe` and `tangent_field`, where the class defines them. `x, y, z = state` is
    right for a single state, and unpacks the wrong axis of three states. How an equation is to be called is found at
    its first call, by comparison with calls on single states.
    """
    for name in (*_METHODS, *_AXES):
        method = vars(system).get(name)
        if callable(method) and not getattr(method, "__isabstractmethod__", False):
            setattr(system, name, _any_axes(method) if name in _METHODS else _each_state(method, _AXES[name]))


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


def _each_state(method: Callable[..., Tensor], axes: Sequence[int]) -> Callable[..., Tensor]:
    """Return a method of a state, and of tangents at it, for any leading axes; its result may have another size."""
    known: dict[tuple[type, int], _Way] = {}

    @wraps(method)
    def call(system: Any, *arguments: Tensor) -> Tensor:
        function, state = partial(method, system), arguments[0]
        if state.dim() == 1:
            return _result(function(*arguments), state)
        if state.numel() == 0:
            return function(*arguments)
        key = type(system), state.shape[-1]
        if key not in known:
            known[key] = _way(function, _examples(arguments, axes))
        if known[key] == "as it is":
            return function(*arguments)
        flat = [one.reshape(-1, *one.shape[one.dim() - count :]) for one, count in zip(arguments, axes, strict=True)]
        result = _mapped(function, flat) if known[key] == "mapped" else _one_by_one(function, flat)
        return result.reshape(*state.shape[:-1], *result.shape[1:])

    return call


def _way(function: Callable[..., Any], examples: Sequence[Tensor]) -> _Way:
    """Return the fastest way to call the function that agrees with calls on single states."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of calls that are only tried
        try:
            truth = _one_by_one(function, examples)
        except Exception:  # whatever a user's function raises on one state: it takes several
            return "as it is"
        ways: tuple[tuple[_Way, Callable[..., Tensor]], ...] = (("as it is", _whole), ("mapped", _mapped))
        for way, call in ways:
            try:
                result = call(function, examples)
            except Exception:  # whatever it raises on several
                continue
            if (result.shape, result.dtype) == (truth.shape, truth.dtype) and torch.allclose(
                result, truth, rtol=1e-4, atol=1e-6, equal_nan=True
            ):
                return way
    return "one by one"


def _examples(arguments: Sequence[Tensor], axes: Sequence[int]) -> list[Tensor]:
    """Return arguments at different states, whose number differs from the size of a state."""
    count, generator = 4 if arguments[0].shape[-1] == 3 else 3, torch.Generator().manual_seed(0)
    examples = []
    for argument, own in zip(arguments, axes, strict=True):
        given = forward_ad.unpack_dual(argument).primal.detach()
        flat = given.reshape(-1, *given.shape[given.dim() - own :])
        chosen = flat[torch.linspace(0, len(flat) - 1, count).round().long().to(flat.device)]
        shift = torch.rand(chosen.shape, dtype=torch.float64, generator=generator).to(chosen)
        examples.append(chosen - 1e-3 * shift * chosen.abs().clamp(min=1))
    return examples


def _whole(function: Callable[..., Any], arguments: Sequence[Tensor]) -> Tensor:
    result = function(*arguments)
    if not isinstance(result, Tensor):
        raise TypeError(f"it returns {type(result).__name__}, not a tensor")
    return result


def _mapped(function: Callable[..., Any], arguments: Sequence[Tensor]) -> Tensor:
    mapped: Tensor = torch.func.vmap(lambda *row: _result(function(*row), row[0]))(*arguments)
    return mapped


def _one_by_one(function: Callable[..., Any], arguments: Sequence[Tensor]) -> Tensor:
    return torch.stack([_result(function(*row), row[0]) for row in zip(*arguments, strict=True)])


def _result(result: Any, state: Tensor) -> Tensor:
    """Return the result for one state as a tensor; a tuple or a list holds its entries."""
    if isinstance(result, list | tuple):
        return torch.stack([torch.as_tensor(entry, dtype=state.dtype, device=state.device) for entry in result])
    return torch.as_tensor(result, dtype=state.dtype, device=state.device)
