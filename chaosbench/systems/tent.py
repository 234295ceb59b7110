"""The tent map."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.base import Map


class Tent(Map):
    """A map that stretches by `mu` everywhere and folds once; the exponent of every orbit is ln mu.

    x' = mu min(x, 1 - x)

    At mu = 2 an orbit of binary floating-point numbers reaches 0 after about fifty steps, because each step shifts out
    one bit.

    Source:
        Collet & Eckmann 1980, Iterated Maps on the Interval as Dynamical Systems, Birkhäuser, section I.3.
    """

    dimension: ClassVar[int] = 1
    start: ClassVar[tuple[float, ...] | None] = (0.4,)
    spread: ClassVar[float] = 0.03  # orbits outside [0, 1] escape
    transient: ClassVar[float] = 1000.0  # [steps]

    kind: Literal["tent"] = "tent"
    mu: float = Field(default=1.9, gt=1, lt=2)  # slope

    @override
    def step(self, state: Tensor) -> Tensor:
        return self.mu * torch.minimum(state, 1 - state)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        return self.step(state), self.mu * (0.5 - state).sign()[..., None] * tangents
