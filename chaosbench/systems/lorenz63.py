"""The Lorenz system of 1963."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


class Lorenz63(Flow):
    """Thermal convection truncated to three modes: the first strange attractor.

    x' = sigma (y - x),  y' = x (rho - z) - y,  z' = x y - beta z

    Source:
        Lorenz 1963, Journal of the Atmospheric Sciences 20, 130, equations 25 to 27.
    """

    dimension: ClassVar[int] = 3
    # Orbits from many other starts spiral around an unstable fixed point for a long time.
    start: ClassVar[tuple[float, ...] | None] = (8.0, 1.0, 33.0)
    spread: ClassVar[float] = 1.0
    transient: ClassVar[float] = 16.0  # [system time]

    kind: Literal["lorenz63"] = "lorenz63"
    sigma: float = 10.0  # Prandtl number
    rho: float = 28.0  # Rayleigh number relative to the onset of convection
    beta: float = 8 / 3  # aspect ratio of the rolls
    dt: float = Field(default=0.01, gt=0)  # [system time]; error of the step 1e-10 per unit of time

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        x, y, z = state.unbind(-1)
        return torch.stack([self.sigma * (y - x), x * (self.rho - z) - y, x * y - self.beta * z], dim=-1)

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        x, y, z = state[..., None].unbind(-2)
        u, v, w = tangents.unbind(-2)
        return torch.stack(
            [self.sigma * (v - u), (self.rho - z) * u - v - x * w, y * u + x * v - self.beta * w], dim=-2
        )
