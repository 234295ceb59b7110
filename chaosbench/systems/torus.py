"""Two independent oscillators: motion on a torus."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


class Torus(Flow):
    """Quasi-periodic motion on an attracting torus, neither chaotic nor periodic.

    x_i' = x_i (1 - r_i^2) - omega_i y_i,  y_i' = y_i (1 - r_i^2) + omega_i x_i,  r_i^2 = x_i^2 + y_i^2,  i = 1, 2

    The exponents are 0, 0, -2, -2 if the ratio of the frequencies is irrational; the default is the golden mean.

    Source:
        Guckenheimer & Holmes 1983, Nonlinear Oscillations, Dynamical Systems, and Bifurcations of Vector Fields,
        section 3.4: two copies of the Hopf normal form.
    """

    dimension: ClassVar[int] = 4
    start: ClassVar[tuple[float, ...] | None] = (1.0, 0.0, 1.0, 0.0)
    transient: ClassVar[float] = 60.0  # [system time]

    kind: Literal["torus"] = "torus"
    omega_1: float = 1.0  # [radians / system time]
    omega_2: float = 0.5 * (1 + 5**0.5)  # [radians / system time]
    dt: float = Field(default=0.1, gt=0)  # [system time]

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        x_1, y_1, x_2, y_2 = state.unbind(-1)
        return torch.stack([*_slopes(x_1, y_1, self.omega_1), *_slopes(x_2, y_2, self.omega_2)], dim=-1)

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        x_1, y_1, x_2, y_2 = state[..., None].unbind(-2)
        u_1, v_1, u_2, v_2 = tangents.unbind(-2)
        first = _carried(x_1, y_1, u_1, v_1, self.omega_1)
        return torch.stack([*first, *_carried(x_2, y_2, u_2, v_2, self.omega_2)], dim=-2)


def _slopes(x: Tensor, y: Tensor, omega: float) -> tuple[Tensor, Tensor]:
    pull = 1 - x * x - y * y
    return x * pull - omega * y, y * pull + omega * x


def _carried(x: Tensor, y: Tensor, u: Tensor, v: Tensor, omega: float) -> tuple[Tensor, Tensor]:
    pull = 1 - x * x - y * y
    outward = 2 * (x * u + y * v)
    return u * pull - x * outward - omega * v, v * pull - y * outward + omega * u
