"""The Rössler system of 1976."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


class Rossler(Flow):
    """A spiral that folds once per turn: the amplitude is chaotic, the phase nearly regular.

    x' = -y - z,  y' = x + a y,  z' = b + z (x - c)

    Source:
        Rössler 1976, Physics Letters A 57, 397, equation 2.
    """

    dimension: ClassVar[int] = 3
    start: ClassVar[tuple[float, ...] | None] = (1.0, 1.0, 0.0)
    transient: ClassVar[float] = 150.0  # [system time]

    kind: Literal["rossler"] = "rossler"
    a: float = 0.2
    b: float = 0.2
    c: float = 5.7
    dt: float = Field(default=0.08, gt=0)  # [system time]; error of the step 4e-8 per unit of time

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        x, y, z = state.unbind(-1)
        return torch.stack([-y - z, x + self.a * y, self.b + z * (x - self.c)], dim=-1)

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        x, _, z = state[..., None].unbind(-2)
        u, v, w = tangents.unbind(-2)
        return torch.stack([-v - w, u + self.a * v, z * u + (x - self.c) * w], dim=-2)
