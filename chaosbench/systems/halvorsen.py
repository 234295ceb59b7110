"""Halvorsen's cyclically symmetric system."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


class Halvorsen(Flow):
    """Halvorsen's system, symmetric under cyclic permutation of its three variables.

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

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        following = state.roll(-1, -1)
        return -self.a * state - 4 * (following + state.roll(1, -1)) - following * following

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        following = state.roll(-1, -1)[..., None]
        return -self.a * tangents - (4 + 2 * following) * tangents.roll(-1, -2) - 4 * tangents.roll(1, -2)
