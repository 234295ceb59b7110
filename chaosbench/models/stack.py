"""Stacks K plain one-seed modules into one forecaster."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from typing_extensions import override

from chaosbench.errors import PluginError
from chaosbench.models.forecaster import Forecaster, Trait

_STEPS = 3  # length of the history from which the size of a state is read


def stack(modules: Sequence[nn.Module], dimension: int) -> Forecaster:
    """Stack K plain modules into one forecaster.

    Args:
        modules: one per seed. Each has `step(state)`, `observe(state)` and `force(state, observation)` on `(B, S)` and
            `(B, D)`, and a `state_size` or an `initial_state(history)` on `(B, H, D)`. An attribute `resets` and a
            method `describe_dynamics(states)` are used if present. See `Forecaster` for their meaning.
        dimension: D, observables.

    Raises:
        PluginError: if the modules lack a method, or if their state size cannot be determined.
    """
    name = type(modules[0]).__name__
    for method in ("step", "observe", "force"):
        if not callable(getattr(modules[0], method, None)):
            raise PluginError(f"{name} has no method {method!r}; define it on (B, S) as in `chaosbench.models.stack`")
    _require_rows(modules[0], _state_size(modules[0], dimension), dimension)
    describes = callable(getattr(modules[0], "describe_dynamics", None))
    return (SelfDescribingStackedForecaster if describes else StackedForecaster)(modules, dimension)


class StackedForecaster(Forecaster):
    """Plain modules on `(B, S)`, mapped over a leading axis of seeds by `torch.vmap`."""

    def __init__(self, modules: Sequence[nn.Module], dimension: int) -> None:
        super().__init__()
        self.seeds, self.dimension = len(modules), dimension
        self.resets = bool(getattr(modules[0], "resets", False))
        parameters, buffers = stack_module_state(list(modules))
        self.names = list(parameters)
        self.stacked = nn.ParameterList(nn.Parameter(value.detach()) for value in parameters.values())
        self.buffer_names = list(buffers)
        for index, value in enumerate(buffers.values()):
            self.register_buffer(f"stacked_buffer_{index}", value)
        # In a list, so that torch does not register the template's parameters.
        self._template = [_MethodDispatcher(deepcopy(modules[0])).to("meta")]
        self.state_size = _state_size(modules[0], dimension)

    @override
    def step(self, state: Tensor) -> Tensor:
        return self._map_over_seeds("step", state)

    @override
    def observe(self, state: Tensor) -> Tensor:
        """Flatten `(K, ..., S)` to `(K, B, S)`, since the plain module expects `(B, S)`."""
        flat = state.flatten(1, -2)
        return torch.unflatten(self._map_over_seeds("observe", flat), 1, state.shape[1:-1])

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        return self._map_over_seeds("force", state, observation)

    @override
    def initial_state(self, history: Tensor) -> Tensor:
        """Call the plain module's `initial_state` if it has one."""
        if self._template[0].has("initial_state"):
            return self._map_over_seeds("initial_state", history)
        return super().initial_state(history)

    def _map_over_seeds(self, method: str, *inputs: Tensor) -> Tensor:
        def call(values: dict[str, Tensor], *inputs: Tensor) -> Tensor:
            return cast("Tensor", self._call(method, values, *inputs))

        return torch.vmap(call)(self._values(), *inputs)

    def _call(self, method: str, values: dict[str, Tensor], *inputs: Tensor) -> Any:
        prefixed = {f"plain.{name}": value for name, value in values.items()}
        return functional_call(self._template[0], prefixed, (method, *inputs))

    def _values(self) -> dict[str, Tensor]:
        values: dict[str, Tensor] = dict(zip(self.names, self.stacked, strict=True))
        return values | {name: getattr(self, f"stacked_buffer_{i}") for i, name in enumerate(self.buffer_names)}


class SelfDescribingStackedForecaster(StackedForecaster):
    """Plain modules that define `describe_dynamics`."""

    @override
    def describe_dynamics(self, states: Tensor) -> dict[str, Trait]:
        """Loop over seeds, `(B, T, S)` each, without vmap: the plain method may branch on values."""
        values = self._values()
        traits = [
            self._call("describe_dynamics", {name: value[k] for name, value in values.items()}, states[k])
            for k in range(self.seeds)
        ]
        return {
            name: Trait(torch.stack([seed_traits[name].value for seed_traits in traits]), traits[0][name].unit)
            for name in traits[0]
        }


class _MethodDispatcher(nn.Module):
    """Calls any method of a plain module through `forward`, which is all that `functional_call` can call."""

    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self.plain = plain

    def has(self, method: str) -> bool:
        return callable(getattr(self.plain, method, None))

    def forward(self, method: str, *inputs: Any) -> Any:
        return getattr(self.plain, method)(*inputs)


def _require_rows(module: nn.Module, size: int, dimension: int) -> None:
    """Require that the methods treat each row of a batch as they treat that state alone.

    `x, y, z = state` unpacks a single state, and three states of a batch `(3, 3)` without an error.
    """
    batch = next(count for count in (4, 5, 6) if count not in (size, dimension))
    generator = torch.Generator().manual_seed(0)
    states, observations = (torch.randn(batch, width, generator=generator) for width in (size, dimension))
    for method, arguments in (("step", (states,)), ("observe", (states,)), ("force", (states, observations))):
        if not _treats_rows_alone(getattr(module, method), arguments):
            raise PluginError(
                f"{type(module).__name__}.{method} takes a single state, not a batch of states in rows (B, {size}); "
                "write x, y, z = state.unbind(-1) for x, y, z = state, and torch.stack([x, y, z], dim=-1)"
            )


@torch.no_grad()
def _treats_rows_alone(method: Any, arguments: tuple[Tensor, ...]) -> bool:
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


def _state_size(module: nn.Module, dimension: int) -> int:
    name = type(module).__name__
    if not callable(getattr(module, "initial_state", None)):
        if hasattr(module, "state_size"):
            return int(module.state_size)  # type: ignore[arg-type]  # nn.Module types attributes as Tensor | Module
        raise PluginError(f"{name} needs `state_size`, or an `initial_state` from which to read it")
    shape = (2, _STEPS, dimension)
    promise = f"{name}.initial_state must return (B, S) for a history (B, H, D), whose last entry is history[:, -1]"
    try:
        with torch.no_grad():
            state = module.initial_state(torch.zeros(shape))  # type: ignore[operator]  # as above
    except (IndexError, RuntimeError) as error:
        raise PluginError(f"{promise}; for {shape} it raises {error}") from error
    if state.dim() != 2 or len(state) != shape[0]:
        raise PluginError(f"{promise}; for {shape} it returns {tuple(state.shape)}")
    return int(state.shape[-1])
