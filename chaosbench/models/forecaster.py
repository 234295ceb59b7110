"""The contract of K trained models: step maps with a read-out."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from chaosbench.dynamics import tangent_step_by_jvp


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

    def portrait(self, states: Tensor) -> dict[str, Trait]:
        """What this architecture alone can tell of its free runs, `(K, B, T, S)`, by name."""
        return {}

    def parameters_per_seed(self) -> int:
        """How many numbers are trained for one seed."""
        return sum(parameter.numel() for parameter in self.parameters()) // self.seeds
