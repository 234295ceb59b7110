"""Flows whose vector field depends on time: a periodic drive, or a parameter that drifts; and angles that repeat."""

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


def wrapped(state: Tensor, ranges: Mapping[int, float]) -> Tensor:
    """Return the state with coordinates that repeat between 0 and their range, `(..., S) -> (..., S)`.

    Growing ones would lose digits.

    Args:
        state: the state.
        ranges: range after which a coordinate repeats, by its number.
    """
    if not ranges:
        return state
    columns = list(state.unbind(-1))
    for coordinate, size in ranges.items():
        columns[coordinate] = columns[coordinate].remainder(size)
    return torch.stack(columns, dim=-1)


class WrappedFlow(Flow):
    """A flow with coordinates that repeat, such as angles and the clock of a drive, which are kept within a range.

    By default that is the last one, the clock, where the flow has a `cycle`; a subclass with angles overrides `ranges`.
    """

    @property
    @override
    def ranges(self) -> Mapping[int, float]:
        """The range after which each coordinate that does so repeats, by its number."""
        return {} if self.cycle is None else {self.state_size - 1: abs(self.cycle)}

    @override
    def step(self, state: Tensor) -> Tensor:
        return wrapped(super().step(state), self.ranges)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state and tangents; wrapping has derivative 1."""
        stepped, carried = super().tangent_step(state, tangents)
        return wrapped(stepped, self.ranges), carried

    @override
    def step_error(self) -> float:
        """Estimate the error per unit of system time, in standard deviations of the attractor [1 / system time].

        Coordinates that repeat are compared before they are wrapped.
        """
        states = self.initial_state(64, Generator().manual_seed(0))
        difference = Flow.step(self, states) - Flow.step(self.refined(), states)
        return float((difference.abs() / states.std(0)).max()) / self.dt


def clocked(slope: Tensor) -> Tensor:
    """Append the derivative of a clock that shows the time, `(..., D) -> (..., D + 1)`."""
    return torch.cat([slope, torch.ones_like(slope[..., -1:])], dim=-1)


class DrivenFlow(WrappedFlow):
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
        return clocked(self.driven_field(state[..., :-1], state[..., -1]))

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
