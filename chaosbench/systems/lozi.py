"""The Lozi map of 1978."""

from typing import ClassVar, Literal

import torch
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.base import Map


class Lozi(Map):
    """A piecewise linear version of the Hénon map, for which a strange attractor is easier to prove.

    x' = 1 - a |x| + y,  y' = b x

    Source:
        Lozi 1978, Journal de Physique Colloques 39, C5-9.
    """

    dimension: ClassVar[int] = 2
    spread: ClassVar[float] = 0.05  # the basin of the attractor is narrow
    transient: ClassVar[float] = 1000.0  # [steps]

    kind: Literal["lozi"] = "lozi"
    a: float = 1.7
    b: float = 0.5

    @override
    def step(self, state: Tensor) -> Tensor:
        x, y = state.unbind(-1)
        return torch.stack([1 - self.a * x.abs() + y, self.b * x], dim=-1)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        u, v = tangents.unbind(-2)
        return self.step(state), torch.stack([-self.a * state[..., :1].sign() * u + v, self.b * u], dim=-2)
