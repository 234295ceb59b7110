"""The Chen system of 1999."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


class Chen(Flow):
    """The Chen system: similar terms to Lorenz 1963, but not topologically equivalent to it.

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

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        x, y, z = state.unbind(-1)
        return torch.stack([self.a * (y - x), (self.c - self.a - z) * x + self.c * y, x * y - self.b * z], dim=-1)

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        x, y, z = state[..., None].unbind(-2)
        u, v, w = tangents.unbind(-2)
        turned = (self.c - self.a - z) * u + self.c * v - x * w
        return torch.stack([self.a * (v - u), turned, y * u + x * v - self.b * w], dim=-2)
