"""Rössler's hyperchaotic system of 1979."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


class HyperRossler(Flow):
    """The first hyperchaotic system: two positive exponents in four dimensions.

    x' = -y - z,  y' = x + a y + w,  z' = b + x z,  w' = -c z + d w

    Source:
        Rössler 1979, Physics Letters A 71, 155.
    """

    dimension: ClassVar[int] = 4
    start: ClassVar[tuple[float, ...] | None] = (-20.0, 0.0, 0.1, 15.0)
    transient: ClassVar[float] = 100.0  # [system time]

    kind: Literal["hyper_rossler"] = "hyper_rossler"
    a: float = 0.25
    b: float = 3.0
    c: float = 0.5
    d: float = 0.05
    dt: float = Field(default=0.1, gt=0)  # [system time]
    substeps: int = Field(default=6, ge=1)  # small enough for z, which contracts as exp(x dt) with x near -100

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        x, y, z, w = state.unbind(-1)
        return torch.stack([-y - z, x + self.a * y + w, self.b + x * z, self.d * w - self.c * z], dim=-1)

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        x, _, z, _ = state[..., None].unbind(-2)
        u, v, s, w = tangents.unbind(-2)
        return torch.stack([-v - s, u + self.a * v + w, z * u + x * s, self.d * w - self.c * s], dim=-2)
