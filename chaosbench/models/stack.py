"""K plain one-seed modules as one forecaster."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from typing_extensions import override

from chaosbench.errors import PluginError
from chaosbench.models.forecaster import Forecaster, Trait


class Stacked(Forecaster):
    """Plain modules on `(B, S)` mapped over a leading axis of seeds with `torch.func.vmap`."""

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
        self._template = [
            _Methods(deepcopy(modules[0])).to("meta")
        ]  # in a list, so that its parameters are not trained
        self.state_size = _state_size(modules[0], dimension)

    @override
    def step(self, state: Tensor) -> Tensor:
        return self._mapped("step", state)

    @override
    def observe(self, state: Tensor) -> Tensor:
        """The plain module sees `(B, S)`."""
        flat = state.flatten(1, -2)
        return torch.unflatten(self._mapped("observe", flat), 1, state.shape[1:-1])

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        return self._mapped("force", state, observation)

    def initial_state(self, observation: Tensor) -> Tensor:
        """The plain module's own `initial_state` where it has one."""
        if self._template[0].has("initial_state"):
            return self._mapped("initial_state", observation)
        return super().initial_state(observation)

    def _mapped(self, method: str, *inputs: Tensor) -> Tensor:
        def call(values: dict[str, Tensor], *inputs: Tensor) -> Tensor:
            return cast("Tensor", self._called(method, values, *inputs))

        return torch.vmap(call)(self._values(), *inputs)

    def _called(self, method: str, values: dict[str, Tensor], *inputs: Tensor) -> Any:
        prefixed = {f"plain.{name}": value for name, value in values.items()}
        return functional_call(self._template[0], prefixed, (method, *inputs))

    def _values(self) -> dict[str, Tensor]:
        values: dict[str, Tensor] = dict(zip(self.names, self.stacked, strict=True))
        return values | {name: getattr(self, f"stacked_buffer_{i}") for i, name in enumerate(self.buffer_names)}


class Portrayed(Stacked):
    """Plain modules with a `portrait` of their own."""

    def portrait(self, states: Tensor) -> dict[str, Trait]:
        """Seed by seed, `(B, T, S)` each, for a portrait may branch on what it counts."""
        values = self._values()
        told = [
            self._called("portrait", {name: value[k] for name, value in values.items()}, states[k])
            for k in range(self.seeds)
        ]
        return {name: Trait(torch.stack([one[name].value for one in told]), told[0][name].unit) for name in told[0]}


class _Methods(nn.Module):
    """Lets `functional_call`, which calls `forward`, reach every method of a plain module."""

    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self.plain = plain

    def has(self, method: str) -> bool:
        return callable(getattr(self.plain, method, None))

    def forward(self, method: str, *inputs: Any) -> Any:
        return getattr(self.plain, method)(*inputs)


def stack(modules: Sequence[nn.Module], dimension: int) -> Forecaster:
    """One forecaster of K plain modules that each have `step`, `observe` and `force` on `(B, S)` and a `state_size`.

    Their `initial_state` and `portrait` are used where they have them.

    Raises:
        PluginError: where a method is missing.
    """
    for method in ("step", "observe", "force"):
        if not callable(getattr(modules[0], method, None)):
            raise PluginError(f"{type(modules[0]).__name__} has no method {method!r}; see `chaosbench.models.stack`")
    portrayed = callable(getattr(modules[0], "portrait", None))
    return (Portrayed if portrayed else Stacked)(modules, dimension)


def _state_size(module: nn.Module, dimension: int) -> int:
    if hasattr(module, "state_size"):
        return int(module.state_size)  # type: ignore[arg-type]  # nn.Module types every attribute as Tensor | Module
    if callable(getattr(module, "initial_state", None)):
        with torch.no_grad():
            return int(module.initial_state(torch.zeros(1, dimension)).shape[-1])  # type: ignore[operator]  # as above
    raise PluginError(f"{type(module).__name__} needs a `state_size`, or an `initial_state` that shows it")
