"""Checks what a plain module of one seed is, by calling it with small inputs."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from chaosbench.errors import PluginError

_STEPS = 3  # length of the history from which the size of a state is read


def require_methods(module: nn.Module) -> None:
    """Require the three methods, and that no layer computes with statistics of the batch."""
    name = type(module).__name__
    for method in ("step", "observe", "force"):
        if not callable(getattr(module, method, None)):
            raise PluginError(f"{name} has no method {method!r}; define it on (B, S) as in `chaosbench.models.stack`")
    for path, layer in module.named_modules():
        if isinstance(layer, nn.modules.batchnorm._NormBase):  # batch and instance normalisation
            raise PluginError(
                f"{name}.{path} is a {type(layer).__name__}, which changes the state of one orbit by the states of "
                "others in its batch; use nn.LayerNorm"
            )


def without_compilation(module: nn.Module) -> nn.Module:
    """Return a copy in which what `torch.compile` has wrapped is as it was: chaosbench differentiates step by step."""
    copied = deepcopy(module)
    for parent in list(copied.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, torch._dynamo.OptimizedModule):
                setattr(parent, name, child._orig_mod)
    return copied


def calls(module: nn.Module, size: int, dimension: int) -> Iterator[tuple[str, tuple[Tensor, ...]]]:
    """Return the methods that a module has, each with random arguments for it."""
    batch = next(count for count in (4, 5, 6) if count not in (size, dimension))
    generator = torch.Generator().manual_seed(0)
    dtype = _dtype(module)
    states, observations = (torch.randn(batch, width, dtype=dtype, generator=generator) for width in (size, dimension))
    yield from (("step", (states,)), ("observe", (states,)), ("force", (states, observations)))
    if callable(getattr(module, "initial_state", None)):
        yield "initial_state", (torch.randn(batch, _STEPS, dimension, dtype=dtype, generator=generator),)


def require_rows(module: nn.Module, size: int, dimension: int) -> None:
    """Require that the methods treat each row of a batch as they treat that state alone.

    `x, y, z = state` unpacks a single state, and three states of a batch `(3, 3)` without an error.
    """
    for method, arguments in calls(module, size, dimension):
        if method != "initial_state" and not _treats_rows_alone(getattr(module, method), arguments):
            raise PluginError(
                f"{type(module).__name__}.{method} takes a single state, not a batch of states in rows (B, {size}); "
                "write x, y, z = state.unbind(-1) for x, y, z = state, and torch.stack([x, y, z], dim=-1)"
            )


@torch.no_grad()
def _treats_rows_alone(method: Callable[..., Tensor], arguments: tuple[Tensor, ...]) -> bool:
    """Return False if a method works on a single state `(S,)` and not likewise on the rows of a batch."""
    with torch.random.fork_rng(devices=[]):
        try:
            alone = torch.stack([method(*rows) for rows in zip(*arguments, strict=True)])
            again = torch.stack([method(*rows) for rows in zip(*arguments, strict=True)])
        except Exception:  # it needs a batch, or these states do not suit it
            return True
        if alone.dim() != 2 or not torch.equal(alone.nan_to_num(), again.nan_to_num()):  # random, as with dropout
            return True
        try:
            beside = method(*arguments)
        except Exception:  # whatever the module raises
            return False
        return beside.shape == alone.shape and torch.allclose(beside, alone, rtol=1e-3, atol=1e-3, equal_nan=True)


@torch.no_grad()
def draws_randomly(module: nn.Module, size: int, dimension: int) -> bool:
    """Return True if a method gives other values when torch's random state is another; the module stays as it is."""
    found = []
    for seed in (0, 1):
        copied = deepcopy(module)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            found.append([getattr(copied, method)(*arguments) for method, arguments in calls(copied, size, dimension)])
    return not all(torch.equal(one.nan_to_num(), other.nan_to_num()) for one, other in zip(*found, strict=True))


def require_calls(module: nn.Module, size: int, dimension: int) -> None:
    """Require that every method accepts a batch and returns a batch of the right width."""
    widths = {"step": size, "observe": dimension, "force": size, "initial_state": size}
    for method, arguments in calls(module, size, dimension):
        name, shapes = f"{type(module).__name__}.{method}", " and ".join(str(tuple(one.shape)) for one in arguments)
        try:
            with torch.random.fork_rng(devices=[]):
                value: Any = getattr(module, method)(*arguments)
        except Exception as error:  # a module may raise anything
            raise PluginError(f"{name} fails on {shapes}: {type(error).__name__}: {error}") from error
        expected = (len(arguments[0]), widths[method])
        if not isinstance(value, Tensor) or tuple(value.shape) != expected:
            found = tuple(value.shape) if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise PluginError(f"{name} must return {expected} for {shapes}; it returns {found}")


def _dtype(module: nn.Module) -> torch.dtype:
    return next((one.dtype for one in module.parameters()), torch.get_default_dtype())


def state_size(module: nn.Module, dimension: int) -> int:
    """Return S, as the module states it or as its initial state shows it."""
    name = type(module).__name__
    if not callable(getattr(module, "initial_state", None)):
        if hasattr(module, "state_size"):
            return int(module.state_size)  # type: ignore[arg-type]  # nn.Module types attributes as Tensor | Module
        raise PluginError(f"{name} needs `state_size`, or an `initial_state` from which to read it")
    shape = (2, _STEPS, dimension)
    promise = f"{name}.initial_state must return (B, S) for a history (B, H, D), whose last entry is history[:, -1]"
    history = torch.zeros(shape, dtype=_dtype(module))
    try:
        with torch.no_grad():
            state = module.initial_state(history)  # type: ignore[operator]  # nn.Module types attributes as Tensor | Module
    except (IndexError, RuntimeError) as error:
        raise PluginError(f"{promise}; for {shape} it raises {error}") from error
    if state.dim() != 2 or len(state) != shape[0]:
        raise PluginError(f"{promise}; for {shape} it returns {tuple(state.shape)}")
    return int(state.shape[-1])
