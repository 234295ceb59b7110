"""The tent map."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.systems.base import Map


class Tent(Map):
    """Constant stretching by `mu` and one fold: the exponent is ln mu, of any orbit.

    x' = mu min(x, 1 - x)

    At mu = 2 a binary orbit reaches 0 after some fifty steps, because every step shifts out one bit.

    Source:
        Collet & Eckmann 1980, Iterated Maps on the Interval as Dynamical Systems, Birkhäuser, section I.3.
    """

    dimension: ClassVar[int] = 1
    start: ClassVar[tuple[float, ...] | None] = (0.4,)
    spread: ClassVar[float] = 0.03  # outside of [0, 1] orbits escape
    transient: ClassVar[float] = 1000.0  # [steps]

    kind: Literal["tent"] = "tent"
    mu: float = Field(default=1.9, gt=1, lt=2)  # slope

    def step(self, state: Tensor) -> Tensor:
        """The next state, `(..., 1)` to `(..., 1)`."""
        return self.mu * torch.minimum(state, 1 - state)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The next state `(..., 1)` and tangents `(..., 1, M)`."""
        return self.step(state), self.mu * (0.5 - state).sign()[..., None] * tangents
