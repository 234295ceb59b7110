"""The Rössler system of 1976."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.systems.base import Flow


class Rossler(Flow):
    """A spiral folded once per turn: chaos in amplitude, with a nearly regular phase.

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
    dt: float = Field(default=0.08, gt=0)  # [system time]; the step errs by 4e-8 per unit of time

    def vector_field(self, state: Tensor) -> Tensor:
        """dz/dt, `(..., 3)` to `(..., 3)`."""
        x, y, z = state.unbind(-1)
        return torch.stack([-y - z, x + self.a * y, self.b + z * (x - self.c)], dim=-1)

    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        """The field's Jacobian times `tangents`, `(..., 3), (..., 3, M)` to `(..., 3, M)`."""
        x, _, z = state[..., None].unbind(-2)
        u, v, w = tangents.unbind(-2)
        return torch.stack([-v - w, u + self.a * v, z * u + (x - self.c) * w], dim=-2)
