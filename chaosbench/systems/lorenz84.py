"""The Lorenz system of 1984."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


class Lorenz84(Flow):
    """The westerly wind (x) and the cosine and sine phases of a chain of planetary waves (y, z).

    x' = -y^2 - z^2 - a (x - F),  y' = x y - b x z - y + G,  z' = b x y + x z - z

    Source:
        Lorenz 1984, Tellus A 36, 98, equations 1 to 3.
    """

    dimension: ClassVar[int] = 3
    start: ClassVar[tuple[float, ...] | None] = (1.0, 0.0, 0.0)
    transient: ClassVar[float] = 100.0  # [system time]

    kind: Literal["lorenz84"] = "lorenz84"
    a: float = 0.25  # damping of the wind relative to that of the waves
    b: float = 4.0  # displacement of the waves by the wind
    F: float = 8.0  # symmetric heating
    G: float = 1.0  # asymmetric heating
    dt: float = Field(default=0.05, gt=0)  # [system time]

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        x, y, z = state.unbind(-1)
        wind = self.a * (self.F - x) - y * y - z * z
        return torch.stack([wind, x * y - self.b * x * z - y + self.G, self.b * x * y + x * z - z], dim=-1)

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        x, y, z = state[..., None].unbind(-2)
        u, v, w = tangents.unbind(-2)
        turn = self.b * x
        return torch.stack(
            [
                -self.a * u - 2 * (y * v + z * w),
                (y - self.b * z) * u + (x - 1) * v - turn * w,
                (self.b * y + z) * u + turn * v + (x - 1) * w,
            ],
            dim=-2,
        )
