"""The Hénon map of 1976."""

from typing import ClassVar, Literal

import torch
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.base import Map


class Henon(Map):
    """A map that stretches and folds the plane; the determinant of its Jacobian is -b everywhere.

    x' = 1 - a x^2 + y,  y' = b x

    Source:
        Hénon 1976, Communications in Mathematical Physics 50, 69, equation 4.
    """

    dimension: ClassVar[int] = 2
    spread: ClassVar[float] = 0.05  # the basin of the attractor is narrow

    kind: Literal["henon"] = "henon"
    a: float = 1.4
    b: float = 0.3

    @override
    def step(self, state: Tensor) -> Tensor:
        x, y = state.unbind(-1)
        return torch.stack([1 - self.a * x * x + y, self.b * x], dim=-1)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        u, v = tangents.unbind(-2)
        return self.step(state), torch.stack([-2 * self.a * state[..., :1] * u + v, self.b * u], dim=-2)
