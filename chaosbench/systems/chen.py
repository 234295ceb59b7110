"""The Chen system of 1999."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.systems.base import Flow


class Chen(Flow):
    """The dual of the Lorenz system: the same terms, the other sign of feedback, another topology.

    x' = a (y - x),  y' = (c - a) x - x z + c y,  z' = x y - b z

    Source:
        Chen & Ueta 1999, International Journal of Bifurcation and Chaos 9, 1465.
    """

    dimension: ClassVar[int] = 3
    start: ClassVar[tuple[float, ...] | None] = (-3.0, 2.0, 20.0)
    spread: ClassVar[float] = 1.0
    transient: ClassVar[float] = 16.0  # [system time]

    kind: Literal["chen"] = "chen"
    a: float = 35.0
    b: float = 3.0
    c: float = 28.0
    dt: float = Field(default=0.005, gt=0)  # [system time]

    def vector_field(self, state: Tensor) -> Tensor:
        """dz/dt, `(..., 3)` to `(..., 3)`."""
        x, y, z = state.unbind(-1)
        return torch.stack([self.a * (y - x), (self.c - self.a - z) * x + self.c * y, x * y - self.b * z], dim=-1)

    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        """The field's Jacobian times `tangents`, `(..., 3), (..., 3, M)` to `(..., 3, M)`."""
        x, y, z = state[..., None].unbind(-2)
        u, v, w = tangents.unbind(-2)
        turned = (self.c - self.a - z) * u + self.c * v - x * w
        return torch.stack([self.a * (v - u), turned, y * u + x * v - self.b * w], dim=-2)
