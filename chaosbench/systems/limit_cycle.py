"""Van der Pol's oscillator."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


class LimitCycle(Flow):
    """Van der Pol's oscillator, which amplifies small oscillations and damps large ones: an attracting cycle, no chaos.

    x' = y,  y' = mu (1 - x^2) y - x

    Source:
        van der Pol 1926, Philosophical Magazine 2, 978.
    """

    dimension: ClassVar[int] = 2
    start: ClassVar[tuple[float, ...] | None] = (2.0, 0.0)

    kind: Literal["limit_cycle"] = "limit_cycle"
    mu: float = 1.0
    dt: float = Field(default=0.1, gt=0)  # [system time]

    @property
    def transient(self) -> float:  # type: ignore[override]  # of the class where it does not depend on a parameter
        """Time until orbits are on the cycle, whose period grows as 1.6 mu [system time]."""
        return max(60.0, 4 * self.mu)

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        x, y = state.unbind(-1)
        return torch.stack([y, self.mu * (1 - x * x) * y - x], dim=-1)

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        x, y = state[..., None].unbind(-2)
        u, v = tangents.unbind(-2)
        return torch.stack([v, self.mu * (1 - x * x) * v - (1 + 2 * self.mu * x * y) * u], dim=-2)
