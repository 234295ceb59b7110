"""Van der Pol's oscillator."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.systems.base import Flow


class LimitCycle(Flow):
    """A valve that feeds small oscillations and damps large ones: an attracting cycle, no chaos.

    x' = y,  y' = mu (1 - x^2) y - x

    Source:
        van der Pol 1926, Philosophical Magazine 2, 978.
    """

    dimension: ClassVar[int] = 2
    start: ClassVar[tuple[float, ...] | None] = (2.0, 0.0)
    transient: ClassVar[float] = 60.0  # [system time]

    kind: Literal["limit_cycle"] = "limit_cycle"
    mu: float = 1.0
    dt: float = Field(default=0.1, gt=0)  # [system time]

    def vector_field(self, state: Tensor) -> Tensor:
        """dz/dt, `(..., 2)` to `(..., 2)`."""
        x, y = state.unbind(-1)
        return torch.stack([y, self.mu * (1 - x * x) * y - x], dim=-1)

    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        """The field's Jacobian times `tangents`, `(..., 2), (..., 2, M)` to `(..., 2, M)`."""
        x, y = state[..., None].unbind(-2)
        u, v = tangents.unbind(-2)
        return torch.stack([v, self.mu * (1 - x * x) * v - (1 + 2 * self.mu * x * y) * u], dim=-2)
