"""Input-driven networks run on their own output."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Generator, Tensor

from chaosbench.dynamics import tangent_step_by_jvp
from chaosbench.models.base import Forecaster
from chaosbench.models.readouts import AffineReadout

Form = Literal["autonomous", "closed_loop"]


class ClosedLoop(Forecaster):
    """Networks driven by an input, which in free running is their last output: x' = C h' + d, h' = advance(h, x).

    The state is (memory, x). Forcing replaces x and keeps the memory, so that forced segments are not independent;
    forced at every step, they are trained as by plain teacher forcing. The memory starts at zero.
    """

    def __init__(self, generators: Sequence[Generator], dimension: int, *, hidden: int, memory: int) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = len(generators), dimension, memory + dimension
        self.hidden, self.memory = hidden, memory
        self.readout = AffineReadout(generators, dimension, hidden)

    @abstractmethod
    def advance(self, derived: tuple[Tensor, ...], memory: Tensor, shown: Tensor) -> Tensor:
        """The next memory, `(K, B, memory), (K, B, D) -> (K, B, memory)`; its first M units are read out."""

    def derived(self) -> tuple[Tensor, ...]:
        """What `advance` needs and the parameters stand for, taken once per unroll."""
        return ()

    def advance_tangents(
        self, derived: tuple[Tensor, ...], memory: Tensor, shown: Tensor, tangents: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The next memory and its tangents, `(K, B, memory, M)`, from tangents of the state, `(K, B, S, M)`."""
        state = torch.cat([memory, shown], dim=-1)
        return tangent_step_by_jvp(lambda state: self.advance(derived, *self.parts(state)), state, tangents)

    def show(self, memory: Tensor, shown: Tensor) -> Tensor:  # noqa: ARG002  # for those with a skip connection
        """The next output, `(K, B, memory), (K, B, D) -> (K, B, D)`, from the next memory and the last output."""
        return self.readout.observe(memory[..., : self.hidden])

    def parts(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """The memory and the last output."""
        return state[..., : self.memory], state[..., self.memory :]

    def step(self, state: Tensor) -> Tensor:
        """(h', C h' + d)."""
        return self._stepped(self.derived(), state)

    def unroll(self, state: Tensor, steps: int) -> Tensor:
        """As a loop over `step`, with what is derived taken once."""
        derived, states = self.derived(), []
        for _ in range(steps):
            state = self._stepped(derived, state)
            states.append(state)
        return torch.stack(states, dim=-2)

    def observe(self, state: Tensor) -> Tensor:
        """The last output."""
        return state[..., self.memory :]

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """(h, x)."""
        return torch.cat([state[..., : self.memory], observation], dim=-1)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The memory's tangents, and C times those of the units read out."""
        memory, shown = self.parts(state)
        following, carried = self.advance_tangents(self.derived(), memory, shown, tangents)
        output = self.readout.weight[:, None] @ carried[..., : self.hidden, :]
        return self._closed(following, shown), torch.cat([carried, output], dim=-2)

    def _stepped(self, derived: tuple[Tensor, ...], state: Tensor) -> Tensor:
        memory, shown = self.parts(state)
        return self._closed(self.advance(derived, memory, shown), shown)

    def _closed(self, following: Tensor, shown: Tensor) -> Tensor:
        return torch.cat([following, self.show(following, shown)], dim=-1)
