"""Duffing's oscillator in a double well, driven periodically."""

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.systems.base import Flow


class Duffing(Flow):
    """A ball between two wells, shaken: the phase of the drive is the third state, its cosine the third observable.

    x' = v,  v' = x - x^3 - damping v + amplitude cos(phase),  phase' = omega (modulo 2 pi)

    Source:
        Holmes 1979, Philosophical Transactions of the Royal Society A 292, 419; parameters and observables of
        Mikhaeil, Monfared & Durstewitz 2022, Advances in Neural Information Processing Systems 35.
    """

    dimension: ClassVar[int] = 3
    transient: ClassVar[float] = 300.0  # [system time]; transients decay as exp(-damping t / 2)

    kind: Literal["duffing"] = "duffing"
    damping: float = 0.1
    amplitude: float = 0.35
    omega: float = 1.4  # of the drive [radians / system time]
    dt: float = Field(default=0.1773, gt=0)  # [system time]; 25 steps to a period of the drive

    def vector_field(self, state: Tensor) -> Tensor:
        """dz/dt, `(..., 3)` to `(..., 3)`."""
        x, v, phase = state.unbind(-1)
        force = x - x * x * x - self.damping * v + self.amplitude * phase.cos()
        return torch.stack([v, force, torch.full_like(x, self.omega)], dim=-1)

    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        """The field's Jacobian times `tangents`, `(..., 3), (..., 3, M)` to `(..., 3, M)`."""
        x, _, phase = state[..., None].unbind(-2)
        along, across, shift = tangents.unbind(-2)
        force = (1 - 3 * x * x) * along - self.damping * across - self.amplitude * phase.sin() * shift
        return torch.stack([across, force, torch.zeros_like(shift)], dim=-2)

    def step(self, state: Tensor) -> Tensor:
        """The state one `dt` later, `(..., 3)` to `(..., 3)`."""
        return self._wrapped(super().step(state))

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The next state `(..., 3)` and tangents `(..., 3, M)`; to wrap the phase has the derivative one."""
        stepped, carried = super().tangent_step(state, tangents)
        return self._wrapped(stepped), carried

    def observe(self, state: Tensor) -> Tensor:
        """Position, velocity and the drive's cosine, `(..., 3)` to `(..., 3)`."""
        return torch.cat([state[..., :2], state[..., 2:].cos()], dim=-1)

    def _wrapped(self, state: Tensor) -> Tensor:
        """The phase in [0, 2 pi), because a growing number would lose its digits."""
        return torch.cat([state[..., :2], state[..., 2:].remainder(2 * math.pi)], dim=-1)
