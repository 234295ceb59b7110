"""Halvorsen's cyclically symmetric system."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from chaosbench.systems.base import Flow


class Halvorsen(Flow):
    """Three variables that play the same role in turn.

    x' = -a x - 4 y - 4 z - y^2,  y' = -a y - 4 z - 4 x - z^2,  z' = -a z - 4 x - 4 y - x^2

    Source:
        Sprott 2003, Chaos and Time-Series Analysis, Oxford University Press, appendix A.
    """

    dimension: ClassVar[int] = 3
    start: ClassVar[tuple[float, ...] | None] = (-5.0, 0.0, 0.0)
    transient: ClassVar[float] = 30.0  # [system time]

    kind: Literal["halvorsen"] = "halvorsen"
    a: float = 1.27
    dt: float = Field(default=0.02, gt=0)  # [system time]

    def vector_field(self, state: Tensor) -> Tensor:
        """dz/dt, `(..., 3)` to `(..., 3)`."""
        following = state.roll(-1, -1)
        return -self.a * state - 4 * (following + state.roll(1, -1)) - following * following

    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        """The field's Jacobian times `tangents`, `(..., 3), (..., 3, M)` to `(..., 3, M)`."""
        following = state.roll(-1, -1)[..., None]
        return -self.a * tangents - (4 + 2 * following) * tangents.roll(-1, -2) - 4 * tangents.roll(1, -2)
