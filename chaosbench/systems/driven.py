"""Flows whose vector field depends on time: a periodic drive, or a parameter that drifts."""

from abc import abstractmethod

import torch
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


class ClockedFlow(Flow):
    """A flow whose state ends with the clock of its drive, which is kept within one `cycle`."""

    @override
    def step(self, state: Tensor) -> Tensor:
        return self._wrapped(super().step(state))

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state and tangents; wrapping the clock has derivative 1."""
        stepped, carried = super().tangent_step(state, tangents)
        return self._wrapped(stepped), carried

    def _wrapped(self, state: Tensor) -> Tensor:
        """Wrap the clock to one cycle; a growing clock would lose digits."""
        if self.cycle is None:
            return state
        return torch.cat([state[..., :-1], state[..., -1:].remainder(abs(self.cycle))], dim=-1)


class DrivenFlow(ClockedFlow):
    """A flow with dz/dt = f(z, t), without a state for the time in the equations.

    A subclass defines `driven_field(state, time)`, and `period` where the drive is periodic. The time is carried as the
    last entry of the state, modulo the period; it is not observed, and its exponent is the zero exponent of the flow.
    Orbits of a periodic drive start at random phases.

    Without a period a parameter drifts, and orbits start on the attractor of time 0. No exponents characterise such a
    flow; those of a snapshot do: `frozen_at` holds the time.
    """

    frozen_at: float | None = None  # time that is held [system time], for snapshots; None: time runs

    @abstractmethod
    def driven_field(self, state: Tensor, time: Tensor) -> Tensor:
        """Return dz/dt, `(..., D), (...) -> (..., D)`."""

    @property
    @override
    def state_size(self) -> int:
        """Number of variables, and one for the time unless it is held."""
        return self.dimension + (self.frozen_at is None)

    @property
    @override
    def stationary(self) -> bool:
        """True with a period, or where the time is held."""
        return self.period is not None or self.frozen_at is not None

    @property
    @override
    def cycle(self) -> float | None:
        """Growth of the time in one period; None without a period, or where the time is held."""
        return self.period if self.frozen_at is None else None

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        if self.frozen_at is not None:
            return self.driven_field(state, torch.full_like(state[..., 0], self.frozen_at))
        slope = self.driven_field(state[..., :-1], state[..., -1])
        return torch.cat([slope, torch.ones_like(state[..., -1:])], dim=-1)

    @override
    def random_starts(self, batch: int, generator: Generator) -> Tensor:
        """Sample states around `start` at random phases of the drive, or at time 0 without a period, `(B, S)`."""
        start = torch.tensor(self.start or (0.0,), dtype=torch.float64)
        state = start + self.spread * torch.randn(batch, self.dimension, dtype=torch.float64, generator=generator)
        if self.frozen_at is not None:
            return state
        phase = torch.rand(batch, 1, dtype=torch.float64, generator=generator)
        return torch.cat([state, phase * (self.period or 0.0)], dim=-1)

    @override
    def initial_state(self, batch: int, generator: Generator) -> Tensor:
        """Sample states on the attractor, `(B, S)`; without a period, on that of time 0."""
        if self.stationary:
            return super().initial_state(batch, generator)
        state = self.replaced(frozen_at=0.0).initial_state(batch, generator)
        return torch.cat([state, state.new_zeros(batch, 1)], dim=-1)
