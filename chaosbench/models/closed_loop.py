"""Input-driven networks run on their own output."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Generator, Tensor

from chaosbench.dynamics import tangent_step_by_jvp
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.readouts import AffineReadout
from chaosbench.models.weights import carry

Form = Literal["autonomous", "closed_loop"]


class ClosedLoop(Forecaster):
    """Networks driven by an input, which in free running is their last output: h' = advance(h, V x + b), x' = C h' + d.

    The state is (memory, x). Forcing replaces x and keeps the memory, so that forced segments are not independent;
    forced at every step, they are trained as by plain teacher forcing. The memory starts at zero.
    """

    drive: Tensor  # V, (K, G, D)
    bias: Tensor  # b, (K, 1, G)

    def __init__(self, generators: Sequence[Generator], dimension: int, *, hidden: int, memory: int) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = len(generators), dimension, memory + dimension
        self.hidden, self.memory = hidden, memory
        self.readout = AffineReadout(generators, dimension, hidden)

    @abstractmethod
    def advance(self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor) -> Tensor:
        """The next memory, `(K, B, memory), (K, B, G) -> (K, B, memory)`; its first M units are read out."""

    def derived(self) -> tuple[Tensor, ...]:
        """What `advance` needs and the parameters stand for, taken once per unroll."""
        return ()

    def driving(self) -> tuple[Tensor, Tensor]:
        """V and b."""
        return self.drive, self.bias

    def advance_tangents(
        self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor, tangents: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The next memory and its tangents, `(K, B, memory, M)`, from tangents of the memory and of what drives it."""
        split = [self.memory, driven.shape[-1]]
        return tangent_step_by_jvp(
            lambda both: self.advance(derived, *both.split(split, dim=-1)),
            torch.cat([memory, driven], dim=-1),
            torch.cat(tangents, dim=-2),
        )

    def show(self, memory: Tensor, shown: Tensor) -> Tensor:
        """The next output, `(K, B, memory), (K, B, D) -> (K, B, D)`, from the next memory and the last output."""
        return self.readout.observe(memory[..., : self.hidden])

    def step(self, state: Tensor) -> Tensor:
        """(h', C h' + d)."""
        return self._stepped(self.derived(), self.driving(), state)

    def unroll(self, state: Tensor, steps: int) -> Tensor:
        """As a loop over `step`, with what is derived taken once."""
        derived, driving, states = self.derived(), self.driving(), []
        for _ in range(steps):
            state = self._stepped(derived, driving, state)
            states.append(state)
        return torch.stack(states, dim=-2)

    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """A loop over the memory alone: V x + b is V C h + V d + b, and all outputs are read out at once."""
        derived, (drive, bias) = self.derived(), self.driving()
        onward = torch.bmm(drive, self.readout.weight).mT
        offset = torch.baddbmm(bias, self.readout.bias, drive.mT)
        memory, shown = self.parts(state)
        driven, read = torch.baddbmm(bias, shown, drive.mT), []
        for _ in range(steps):
            memory = self.advance(derived, memory, driven)
            read.append(memory[..., : self.hidden])
            driven = torch.baddbmm(offset, read[-1], onward)
        observed = self.readout.observe(torch.stack(read, dim=-2))
        return observed, torch.cat([memory, observed[..., -1, :]], dim=-1)

    def observe(self, state: Tensor) -> Tensor:
        """The last output."""
        return state[..., self.memory :]

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """(h, x)."""
        return torch.cat([state[..., : self.memory], observation], dim=-1)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The memory's tangents, and C times those of the units read out."""
        (memory, shown), (drive, bias) = self.parts(state), self.driving()
        driven = torch.baddbmm(bias, shown, drive.mT)
        directions = (tangents[..., : self.memory, :], carry(drive, tangents[..., self.memory :, :]))
        following, carried = self.advance_tangents(self.derived(), memory, driven, directions)
        output = carry(self.readout.weight, carried[..., : self.hidden, :])
        return self._closed(following, shown), torch.cat([carried, output], dim=-2)

    def parts(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """The memory and the last output."""
        return state[..., : self.memory], state[..., self.memory :]

    def _stepped(self, derived: tuple[Tensor, ...], driving: tuple[Tensor, Tensor], state: Tensor) -> Tensor:
        (memory, shown), (drive, bias) = self.parts(state), driving
        return self._closed(self.advance(derived, memory, torch.baddbmm(bias, shown, drive.mT)), shown)

    def _closed(self, following: Tensor, shown: Tensor) -> Tensor:
        return torch.cat([following, self.show(following, shown)], dim=-1)
