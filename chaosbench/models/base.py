"""The contract of a model: K trainable step maps with a read-out."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor, nn

from chaosbench.dynamics import tangent_step_by_jvp
from chaosbench.spec import Spec


def seed_generator(seed: int, purpose: str) -> Generator:
    """A generator of its own for each seed and purpose, so that no draw depends on which others are made."""
    number = int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "big")
    return Generator().manual_seed(number)


class Trait(NamedTuple):
    """What a model tells of its own dynamics: `(K,)` is a number of each run, `(K, ...)` an array beside it."""

    value: Tensor  # NaN where a seed has none
    unit: str = "1"


class Forecaster(nn.Module, ABC):
    """K models of one architecture, one per seed, stepped as one tensor program.

    Attributes:
        seeds: K.
        dimension: D, what is observed.
        state_size: S.
        resets: `force` ignores the state it replaces, so that forced segments are independent and may be folded.
        dynamical: `step` is a law of motion; False where it replays what was seen, whose derivative means nothing.
    """

    seeds: int
    dimension: int
    state_size: int
    resets: bool = False
    dynamical: bool = True

    @abstractmethod
    def step(self, state: Tensor) -> Tensor:
        """One free-running step, `(K, B, S) -> (K, B, S)`."""

    @abstractmethod
    def observe(self, state: Tensor) -> Tensor:
        """The read-out, `(K, ..., S) -> (K, ..., D)`."""

    @abstractmethod
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """The state that shows `observation`: `(K, B, S), (K, B, D) -> (K, B, S)`."""

    def initial_state(self, observation: Tensor) -> Tensor:
        """A state to start from, `(K, B, D) -> (K, B, S)`: a forced zero state unless overridden."""
        blank = observation.new_zeros(*observation.shape[:-1], self.state_size)
        return self.force(blank, observation)

    def unroll(self, state: Tensor, steps: int) -> Tensor:
        """The states after 1..steps steps, `(K, B, S) -> (K, B, steps, S)`."""
        states = []
        for _ in range(steps):
            state = self.step(state)
            states.append(state)
        return torch.stack(states, dim=-2)

    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """What is observed after 1..steps steps, `(K, B, steps, D)`, and the last state, `(K, B, S)`."""
        states = self.unroll(state, steps)
        return self.observe(states), states[..., -1, :]

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The next state and its tangents, `(K, B, S), (K, B, S, M)`: by forward mode unless overridden."""
        return tangent_step_by_jvp(self.step, state, tangents)

    def portrait(self, states: Tensor) -> dict[str, Trait]:  # noqa: ARG002  # nothing by default
        """What this architecture alone can tell of its free runs, `(K, B, T, S)`, by name."""
        return {}

    def parameters_per_seed(self) -> int:
        """How many numbers are trained for one seed."""
        return sum(parameter.numel() for parameter in self.parameters()) // self.seeds


class ModelSpec(Spec, ABC):
    """An architecture and its size.

    Override `build` to carry the K axis in the weights, or, simpler, `module` for one seed; `stack` does the rest.

    Attributes:
        learning: how its numbers are found; only a trainer of the same `learning` can train it.
    """

    learning: ClassVar[str] = "gradients"

    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        """K forecasters of `dimension` observables, initialised each from its own seed."""
        from chaosbench.models.stack import stack

        modules = []
        for seed in seeds:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed_generator(seed, "weights").initial_seed())
                modules.append(self.module(dimension))
        return stack(modules, dimension)

    def module(self, dimension: int) -> nn.Module:  # noqa: ARG002  # for those who override it
        """One seed's plain module with `step`, `observe`, `force` on `(B, S)`, drawn from torch's own random state."""
        raise TypeError(f"{type(self).__name__} must define build or module")


def carry(weight: Tensor, tangents: Tensor) -> Tensor:
    """W times the tangents of each seed, `(K, N, S), (K, B, S, M) -> (K, B, N, M)`.

    As one product of `(N, S)` and `(S, B M)` for each seed: for few tangents five times as fast as B small products.
    The result lies in memory as the next product reads it; a factor put behind it keeps it so, one in front does not.
    """
    seeds, batch, size, count = tangents.shape
    product = torch.bmm(weight, tangents.transpose(1, 2).reshape(seeds, size, batch * count))
    return product.view(seeds, -1, batch, count).transpose(1, 2)


def weight_generators(seeds: Sequence[int]) -> list[Generator]:
    """The generators from which each seed's initial weights are drawn."""
    return [seed_generator(seed, "weights") for seed in seeds]


def drawn(generators: Sequence[Generator], *shape: int, bound: float, centre: float = 0.0) -> nn.Parameter:
    """A parameter `(K, *shape)`, uniform in centre +- bound, each seed's slice from its own generator."""
    draws = [torch.rand(*shape, generator=generator) for generator in generators]
    return nn.Parameter((2 * torch.stack(draws) - 1) * bound + centre)


def normal(generators: Sequence[Generator], *shape: int, scale: float) -> nn.Parameter:
    """A parameter `(K, *shape)`, normal with that standard deviation, each seed's slice from its own generator."""
    return nn.Parameter(torch.stack([torch.randn(*shape, generator=generator) for generator in generators]) * scale)


def zeros(generators: Sequence[Generator], *shape: int) -> nn.Parameter:
    """A parameter `(K, *shape)` of zeros."""
    return nn.Parameter(torch.zeros(len(generators), *shape))


def fitted(values: Tensor) -> nn.Parameter:
    """A parameter that is learned, and kept with the others, but not by gradients."""
    return nn.Parameter(values, requires_grad=False)
