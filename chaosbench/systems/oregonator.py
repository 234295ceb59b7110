"""The Oregonator: the reaction of Belousov and Zhabotinsky."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.dynamics import Method
from chaosbench.systems.flow import Flow


class Oregonator(Flow):
    """Three concentrations of an oscillating reaction: a stiff attracting cycle with a period of 302.9, no chaos.

    x' = s (y - x y + x - q x^2),  y' = (z - y - x y) / s,  z' = w (x - z)

    Source:
        Field & Noyes 1974, Journal of Chemical Physics 60, 1877; in this form and with these parameters: Hairer &
        Wanner 1996, Solving Ordinary Differential Equations II, second edition, section IV.10, equation 10.7.
    """

    dimension: ClassVar[int] = 3
    start: ClassVar[tuple[float, ...] | None] = (1.0, 2.0, 3.0)
    transient: ClassVar[float] = 606.0  # [system time]; two periods
    leading: ClassVar[int | None] = 2  # the third direction decays by exp(-25,000) in a unit of time

    kind: Literal["oregonator"] = "oregonator"
    s: float = 77.27
    q: float = 8.375e-6
    w: float = 0.161
    dt: float = Field(default=3.0, gt=0)  # [system time]; a period has 101 steps
    method: Method = "radau"

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        x, y, z = state.unbind(-1)
        return torch.stack(
            [
                self.s * (y + x * (1 - self.q * x - y)),
                (z - (1 + x) * y) / self.s,
                self.w * (x - z),
            ],
            dim=-1,
        )

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        x, y, _ = state[..., None].unbind(-2)
        a, b, c = tangents.unbind(-2)
        return torch.stack(
            [
                self.s * ((1 - 2 * self.q * x - y) * a + (1 - x) * b),
                (c - (1 + x) * b - y * a) / self.s,
                self.w * (a - c),
            ],
            dim=-2,
        )
