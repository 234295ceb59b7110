"""Stacks K plain one-seed modules into one forecaster."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from typing_extensions import override

from chaosbench.dynamics import tangent_step_by_jvp
from chaosbench.dynamics.reverse_tangents import tangent_step_by_rows
from chaosbench.errors import PluginError
from chaosbench.models.forecaster import Forecaster, Trait
from chaosbench.models.plain_modules import (
    calls,
    draws_randomly,
    require_calls,
    require_methods,
    require_rows,
    state_size,
    without_compilation,
)
from chaosbench.models.seed_mapping import WAYS, Way, missing_rules_raise, plain_kernels, report_once
from chaosbench.seeds import seed_generator


def stack(modules: Sequence[nn.Module], dimension: int, seeds: Sequence[int] | None = None) -> Forecaster:
    """Stack K plain modules into one forecaster, in evaluation mode.

    The modules are mapped over seeds by `torch.vmap`, which computes all at once. Where it cannot, because torch has no
    rule for an operation (as for `nn.LSTMCell`) or the module draws at random (as `nn.Dropout` does), they are called
    one after another, which the log says once.

    Args:
        modules: one per seed. Each has `step(state)`, `observe(state)` and `force(state, observation)` on `(B, S)` and
            `(B, D)`, and a `state_size` or an `initial_state(history)` on `(B, H, D)`. An attribute `resets` and a
            method `describe_dynamics(states)` are used if present. See `Forecaster` for their meaning.
        dimension: D, observables.
        seeds: for what the modules draw at random, one per module; default: 0 to K - 1.

    Raises:
        PluginError: if the modules lack a method, return another shape, or mix the states of a batch, or if their state
            size cannot be determined.
    """
    require_methods(modules[0])
    modules = [without_compilation(module).eval() for module in modules]  # training mode may change buffers
    size = state_size(modules[0], dimension)
    require_calls(modules[0], size, dimension)
    require_rows(modules[0], size, dimension)
    describes = callable(getattr(modules[0], "describe_dynamics", None))
    kind = SelfDescribingStackedForecaster if describes else StackedForecaster
    return kind(modules, dimension, range(len(modules)) if seeds is None else seeds).eval()


class StackedForecaster(Forecaster):
    """Plain modules on `(B, S)`, called for a leading axis of seeds."""

    def __init__(self, modules: Sequence[nn.Module], dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension = len(modules), dimension
        self.resets = bool(getattr(modules[0], "resets", False))
        self.state_size = state_size(modules[0], dimension)
        # In training mode, and otherwise.
        self._random = {
            mode: draws_randomly(modules[0].train(mode), self.state_size, dimension) for mode in (True, False)
        }
        self._first_draws = [seed_generator(seed, "noise of the network").initial_seed() for seed in seeds]
        self._store(modules)
        self._way = Way(at_once=False, forward_mode=False)
        self._way = self._fastest_way(modules[0])

    def _store(self, modules: Sequence[nn.Module]) -> None:
        """Keep the values of all modules, and one module without values that computes with them."""
        parameters, buffers = stack_module_state([module.train(False) for module in modules])
        self.names = list(parameters)
        self.stacked = nn.ParameterList(nn.Parameter(value.detach()) for value in parameters.values())
        self.buffer_names = list(buffers)
        for index, value in enumerate(buffers.values()):
            self.register_buffer(f"stacked_buffer_{index}", value)
        if any(self._random.values()):
            self.register_buffer("draws", torch.zeros(self.seeds, dtype=torch.int64))  # how often each seed has drawn
        # In a list, so that torch does not register the template's parameters.
        self._template = [_MethodDispatcher(without_compilation(modules[0])).to("meta")]

    @override
    def train(self, mode: bool = True) -> "StackedForecaster":
        self._template[0].train(mode)
        return super().train(mode)

    @override
    def step(self, state: Tensor) -> Tensor:
        return self._map_over_seeds("step", state)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        differentiate = tangent_step_by_jvp if self._way.forward_mode else tangent_step_by_rows
        return differentiate(self.step, state, tangents)

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
        with plain_kernels() if self._way.plain_kernels else nullcontext():
            return self._at_once(method, *inputs) if self._way.at_once else self._one_after_another(method, *inputs)

    def _at_once(self, method: str, *inputs: Tensor) -> Tensor:
        def call(values: dict[str, Tensor], *inputs: Tensor) -> Tensor:
            return cast("Tensor", self._call(method, values, *inputs))

        return torch.vmap(call)(self._values(), *inputs)

    def _one_after_another(self, method: str, *inputs: Tensor) -> Tensor:
        apart = {name: value.unbind() for name, value in self._values().items()}
        outputs = []
        for k in range(self.seeds):
            with self._own_draws(k):
                values = {name: value[k] for name, value in apart.items()}
                outputs.append(self._call(method, values, *(one[k] for one in inputs)))
        return torch.stack(outputs)

    @contextmanager
    def _own_draws(self, k: int) -> Iterator[None]:
        """Let what a module draws depend on its own seed, and on how often it has drawn."""
        if not self._random[self.training]:
            yield
            return
        draws = cast("Tensor", self.draws)
        with torch.random.fork_rng(devices=[draws.device] if draws.is_cuda else []):
            torch.manual_seed((self._first_draws[k] + int(draws[k])) % 2**63)
            draws[k] += 1
            yield

    def _call(self, method: str, values: dict[str, Tensor], *inputs: Tensor) -> Any:
        prefixed = {f"plain.{name}": value for name, value in values.items()}
        return functional_call(self._template[0], prefixed, (method, *inputs))

    def _values(self) -> dict[str, Tensor]:
        values: dict[str, Tensor] = dict(zip(self.names, self.stacked, strict=True))
        return values | {name: getattr(self, f"stacked_buffer_{i}") for i, name in enumerate(self.buffer_names)}

    def _fastest_way(self, module: nn.Module) -> Way:
        """Return the first way that gives the values of calls one after another; report a slow one."""
        name, expected = type(module).__name__, self._outcomes(module)
        reason = "it draws at random, for each seed from its own generator" if any(self._random.values()) else ""
        for way in WAYS[2:] if reason else WAYS:
            self._way = way
            try:
                found = self._outcomes(module)
            except Exception as error:  # whatever torch raises where it lacks a rule
                reason = reason or " ".join(str(error).partition(". ")[0].split())
                continue
            if all(
                torch.allclose(*both, rtol=1e-4, atol=1e-5, equal_nan=True)
                for both in zip(found, expected, strict=True)
            ):
                if not way.at_once:
                    report_once(name, reason)
                return way
            reason = reason or "torch.vmap gives it other values"
        raise PluginError(f"{name} gives other values when it is called again in the same state of torch's generator")

    def _outcomes(self, module: nn.Module) -> list[Tensor]:
        """Return what the methods give in training mode and otherwise; buffers stay as they are."""
        found = []
        for mode in (True, False):
            before = {name: value.clone() for name, value in self.named_buffers()}
            self.train(mode)
            try:
                found += self._outcome(module)
            finally:
                for name, value in self.named_buffers():
                    value.copy_(before[name])
        return found

    def _outcome(self, module: nn.Module) -> list[Tensor]:
        """Return what each method gives, with its derivatives in reverse mode, and tangents."""
        found = []
        with missing_rules_raise(), torch.enable_grad():
            for method, inputs in calls(module, self.state_size, self.dimension):
                repeated = [one.expand(self.seeds, *one.shape).contiguous().requires_grad_() for one in inputs]
                value = self._map_over_seeds(method, *repeated)
                found.append(value.detach())
                if value.requires_grad:
                    slopes = torch.autograd.grad(value.square().sum(), repeated, allow_unused=True)
                    found += [slope for slope in slopes if slope is not None]
                if method == "step" and not self._random[self.training]:
                    states = repeated[0].detach()
                    found += self.tangent_step(states, torch.ones_like(states)[..., None])
        return [one.detach() for one in found]


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
