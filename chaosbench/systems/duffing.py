"""Duffing's oscillator in a double well, driven periodically."""

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.driven import WrappedFlow


class Duffing(WrappedFlow):
    """A damped particle in a double-well potential with a periodic drive.

    The third state is the phase of the drive, the third observable its cosine.

    x' = v,  v' = x - x^3 - damping v + amplitude cos(phase),  phase' = omega (modulo 2 pi)

    Source:
        Holmes 1979, Philosophical Transactions of the Royal Society A 292, 419; parameters and observables of
        Mikhaeil, Monfared & Durstewitz 2022, Advances in Neural Information Processing Systems 35.
    """

    dimension: ClassVar[int] = 3
    transient: ClassVar[float] = 300.0  # [system time]; deviations decay as exp(-damping t / 2)

    kind: Literal["duffing"] = "duffing"
    damping: float = 0.1
    amplitude: float = 0.35
    omega: float = 1.4  # of the drive [radians / system time]
    dt: float = Field(default=0.1773, gt=0)  # [system time]; a period of the drive has 25.3 steps

    @property
    @override
    def period(self) -> float:
        """Period of the drive [system time]."""
        return 2 * math.pi / abs(self.omega)

    @property
    @override
    def cycle(self) -> float:
        """Growth of the phase in one period [radians]."""
        return math.copysign(2 * math.pi, self.omega)

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        x, v, phase = state.unbind(-1)
        force = x - x * x * x - self.damping * v + self.amplitude * phase.cos()
        return torch.stack([v, force, torch.full_like(x, self.omega)], dim=-1)

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        x, _, phase = state[..., None].unbind(-2)
        along, across, shift = tangents.unbind(-2)
        force = (1 - 3 * x * x) * along - self.damping * across - self.amplitude * phase.sin() * shift
        return torch.stack([across, force, torch.zeros_like(shift)], dim=-2)

    @override
    def observe(self, state: Tensor) -> Tensor:
        """Return position, velocity and the cosine of the drive's phase, `(..., 3) -> (..., 3)`."""
        return torch.cat([state[..., :2], state[..., 2:].cos()], dim=-1)
