"""How a user's function takes the state: any leading axes, rows, columns or one state at a time; found by comparison.

`x, y, z = state` is right for a state `(3,)` and for columns `(3, B)`. With rows `(3, 3)` it unpacks three states in
place of three coordinates, without an error. So a function is called on single states first, and every faster way to
call it must return the same.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from chaosbench.dynamics.differences import Function, by_differences, derivative_of
from chaosbench.errors import StepError

_LOGGER = logging.getLogger(__name__)
_ROUNDING = {torch.float32: 1e-4, torch.float64: 1e-9}  # relative; products of matrices round differently in batches
_APART = 1e-3  # relative distance between probes where a user gave fewer states

UserFunction = Callable[[Any], Any]


@dataclass(frozen=True)
class Convention:
    """How to call a function on states `(..., S)`.

    Attributes:
        name: for reports.
        call: applies the function to all states.
        arrays: True if the function takes numpy arrays.
        numerical: True if its derivative is taken by central differences.
        axes: True if it takes any leading axes, False if only those of the states that the user gave.
    """

    name: str
    call: Callable[[UserFunction, Tensor, bool], Tensor]
    arrays: bool = False
    numerical: bool = False
    axes: bool = True

    @property
    def as_it_is(self) -> bool:
        """True if the function is called without a change of states, results or derivative."""
        return self.call is _whole and not self.arrays and not self.numerical

    def applied(self, function: UserFunction) -> Function:
        """Return the function for states with any leading axes, with its derivative."""
        if self.as_it_is:
            return function

        def call(state: Tensor) -> Tensor:
            return self.call(function, state, self.arrays)

        if not self.numerical:
            return call
        return by_differences(call, dtype=torch.float64 if self.arrays else None)


def convention_of(function: UserFunction, states: Tensor, *, name: str, differentiated: bool = True) -> Convention:
    """Return how to call a function so that it is right for states with any leading axes.

    Its derivative is checked against central differences, and replaced by them where torch has none.

    Args:
        function: the step, of tensors or numpy arrays: for one state `(S,)`, rows `(B, S)`, columns `(S, B)`, or any
            leading axes.
        states: `(..., S)`, some states to try.
        name: of the function, for errors.
        differentiated: whether its derivative is checked.

    Raises:
        StepError: if the function cannot be called on these states, or if a part of its derivative is missing.
    """
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of calls that are only tried
        states = forward_ad.unpack_dual(states).primal.detach()
        probes = _probes(states)
        convention = _fastest(function, probes, states, name)
        if convention.arrays:
            return replace(convention, numerical=True)
        sample = probes if convention.axes else states
        if differentiated and _derivative_is_missing(convention.applied(function), sample, name):
            return replace(convention, numerical=True)
        return convention


def _derivative_is_missing(function: Function, states: Tensor, name: str) -> bool:
    """Return whether torch has no derivative of the function, and raise an error if it has a wrong one."""
    if torch.is_inference_mode_enabled() or forward_ad._current_level >= 0 or _random(function, states):
        return False
    derivative = derivative_of(function, states)
    if derivative == "wrong":
        raise StepError(
            f"{name}: automatic differentiation disagrees with a finite difference, so a part of the step leaves "
            "torch's graph; do without .item(), .detach(), .numpy() and torch.tensor(...) of the state's entries, "
            "as in torch.stack([x * y, ...])"
        )
    if derivative == "missing":
        _report(name)
    return derivative == "missing"


def _fastest(function: UserFunction, probes: Tensor, states: Tensor, name: str) -> Convention:
    """Return the fastest way to call the function that agrees with calls on single states.

    Args:
        probes: `(B, S)`, different states, with B different from S.
        states: `(..., S)`, for a function that takes only their leading axes.
    """
    failures = []
    for arrays, strict in ((False, True), (True, True), (False, False)):
        for single in (_one, _row):
            try:
                truth = _singly(function, probes, single, arrays, strict)
            except Exception as error:  # whatever a user's function raises where it is called in another way
                failures.append(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
                continue
            _require_precision(truth, probes, name)
            return _agreeing(function, probes, truth, single, arrays)
    if states.dim() > 1 and _takes_these_axes(function, states):
        return Convention("leading axes as given", _whole, axes=False)
    raise StepError(
        f"{name} cannot be called on a state of {probes.shape[-1]} entries ({failures[0]}); expected a function of the "
        "state, (S,) or (..., S), that returns the next state"
    )


def _singly(
    function: UserFunction, probes: Tensor, single: Callable[..., Tensor], arrays: bool, strict: bool
) -> Tensor:
    """Return the function of each probe by itself; a function of numpy that takes a tensor with a warning fails."""
    with warnings.catch_warnings():
        if strict:
            warnings.filterwarnings("error", ".*__array_wrap__", DeprecationWarning)
        return torch.stack([_checked(single(function, probe, arrays, strict), probe) for probe in probes])


def _agreeing(
    function: UserFunction, probes: Tensor, truth: Tensor, single: Callable[..., Tensor], arrays: bool
) -> Convention:
    for convention in _conventions(single, arrays):
        try:
            stepped = convention.call(function, probes, arrays)
            nested = torch.stack([probes, probes.flip(0)])
            both = convention.call(function, nested, arrays)
        except Exception:  # whatever a user's function raises where it is called in another way
            continue
        expected = torch.stack([truth, truth.flip(0)])
        if stepped.shape != truth.shape or both.shape != expected.shape:
            continue
        if (_same(stepped, truth) and _same(both, expected)) or _random(single, function, probes[0], arrays):
            return convention
    return Convention("one state at a time", _looped(single), arrays)


def _conventions(single: Callable[..., Tensor], arrays: bool) -> Iterator[Convention]:
    """Yield the ways to call a function on many states at once, the fastest first."""
    yield Convention("any leading axes", _whole, arrays)
    yield Convention("rows", _rows, arrays)
    yield Convention("columns", _columns, arrays)
    yield Convention("rows to columns", _rows_to_columns, arrays)
    if not arrays:
        yield Convention("mapped", _mapped(single), arrays)


def _called(function: UserFunction, state: Tensor, arrays: bool, *, axis: int = -1, strict: bool = False) -> Tensor:
    """Return the function's result as a tensor; a tuple or a list holds the entries of the next state.

    Args:
        strict: reject results that have left torch, so that the function is tried on arrays.
    """
    result = function(state.detach().cpu().double().numpy() if arrays else state)
    if isinstance(result, list | tuple):
        if strict and not arrays and not any(isinstance(entry, Tensor) for entry in result):
            raise TypeError(f"it returns a {type(result).__name__} of numbers")
        return torch.stack([torch.as_tensor(entry, dtype=state.dtype, device=state.device) for entry in result], axis)
    if isinstance(result, Tensor):
        return result
    if strict and not arrays:
        raise TypeError(f"it returns {type(result).__name__}, not a tensor")
    return torch.as_tensor(result, dtype=state.dtype, device=state.device)


def _whole(function: UserFunction, state: Tensor, arrays: bool) -> Tensor:
    return _called(function, state, arrays)


def _rows(function: UserFunction, state: Tensor, arrays: bool) -> Tensor:
    return _called(function, state.reshape(-1, state.shape[-1]), arrays).reshape(state.shape)


def _columns(function: UserFunction, state: Tensor, arrays: bool) -> Tensor:
    columns = state.reshape(-1, state.shape[-1]).mT.contiguous()
    stepped = _called(function, columns, arrays, axis=0)
    return _expected(stepped, columns.shape).mT.reshape(state.shape)


def _rows_to_columns(function: UserFunction, state: Tensor, arrays: bool) -> Tensor:
    rows = state.reshape(-1, state.shape[-1])
    return _expected(_called(function, rows, arrays, axis=0), rows.mT.shape).mT.reshape(state.shape)


def _mapped(single: Callable[..., Tensor]) -> Callable[[UserFunction, Tensor, bool], Tensor]:
    def call(function: UserFunction, state: Tensor, arrays: bool) -> Tensor:
        one = torch.func.vmap(lambda row: _checked(single(function, row, arrays), row))
        return one(state.reshape(-1, state.shape[-1])).reshape(state.shape)

    return call


def _looped(single: Callable[..., Tensor]) -> Callable[[UserFunction, Tensor, bool], Tensor]:
    def call(function: UserFunction, state: Tensor, arrays: bool) -> Tensor:
        rows = state.reshape(-1, state.shape[-1]).unbind(0)
        return torch.stack([_checked(single(function, row, arrays), row) for row in rows]).reshape(state.shape)

    return call


def _one(function: UserFunction, state: Tensor, arrays: bool, strict: bool = False) -> Tensor:
    return _called(function, state, arrays, strict=strict)


def _row(function: UserFunction, state: Tensor, arrays: bool, strict: bool = False) -> Tensor:
    return _expected(_called(function, state[None], arrays, strict=strict), (1, *state.shape))[0]


def _checked(stepped: Tensor, state: Tensor) -> Tensor:
    """Return the next state; a function of a single number may return a number."""
    return _expected(stepped.reshape(1) if stepped.dim() == 0 and len(state) == 1 else stepped, state.shape)


def _expected(stepped: Tensor, shape: tuple[int, ...]) -> Tensor:
    if stepped.shape != shape:
        raise ValueError(f"it returns the shape {tuple(stepped.shape)} for a state of the shape {tuple(shape)}")
    return stepped


def _require_precision(stepped: Tensor, state: Tensor, name: str) -> None:
    exact = stepped.is_floating_point() and torch.finfo(stepped.dtype).bits >= torch.finfo(state.dtype).bits
    if not exact:
        raise StepError(
            f"{name} returns {stepped.dtype} for a state in {state.dtype}; expected the precision of the state: give "
            "constants dtype=state.dtype, or pass states.float()"
        )


def _probes(states: Tensor) -> Tensor:
    """Return different states near the given ones, `(B, S)` with B different from S."""
    size = states.shape[-1]
    flat, count = states.reshape(-1, size), 4 if size == 3 else 3
    chosen = flat[torch.linspace(0, len(flat) - 1, count).round().long().to(flat.device)]
    generator = torch.Generator().manual_seed(0)
    shift = _APART * torch.rand(chosen.shape, dtype=torch.float64, generator=generator).to(chosen)
    return torch.cat([chosen[:1], chosen[1:] - shift[1:] * chosen[1:].abs().clamp(min=1)])


def _takes_these_axes(function: UserFunction, states: Tensor) -> bool:
    """Return whether rows of the last batch axis do not affect each other, for a function with fixed leading axes."""
    shift = _APART * states[..., :1, :].abs().clamp(min=1)
    more = torch.cat([states[..., :1, :] - index * shift for index in range(3 if states.shape[-1] == 4 else 4)], -2)
    try:
        alone, beside = _called(function, more[..., :1, :], False), _called(function, more, False)
    except Exception:  # whatever a user's function raises where it is called in another way
        return False
    return beside.shape == more.shape and (_same(beside[..., :1, :], alone) or _random(function, more))


def _same(first: Tensor, second: Tensor) -> bool:
    tolerance = _ROUNDING.get(second.dtype, 1e-2)
    largest = second.nan_to_num(0, 0, 0).abs().amax().clamp(min=1)
    return bool(torch.allclose(first, second, rtol=0, atol=float(tolerance * largest), equal_nan=True))


def _random(function: Callable[..., Tensor], *arguments: Any) -> bool:
    """Return whether two equal calls differ, as with dropout; then nothing can be compared."""
    return not _same(function(*arguments), function(*arguments))


@cache
def _report(name: str) -> None:
    """Log once for each function that its derivative is numerical."""
    _LOGGER.warning(
        "%s leaves torch's graph (numpy, .item(), .detach() or torch.tensor), so its derivative is taken by central "
        "differences, with an error of about 1e-9",
        name,
    )
