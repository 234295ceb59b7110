"""Thomas' cyclically symmetric system of 1999."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


class Thomas(Flow):
    """A particle with friction in a periodic lattice of forces ("labyrinth chaos").

    x' = sin y - friction x,  y' = sin z - friction y,  z' = sin x - friction z

    Source:
        Thomas 1999, International Journal of Bifurcation and Chaos 9, 1889.
    """

    dimension: ClassVar[int] = 3
    start: ClassVar[tuple[float, ...] | None] = (1.0, 0.5, 0.0)
    spread: ClassVar[float] = 1.0
    transient: ClassVar[float] = 400.0  # [system time]

    kind: Literal["thomas"] = "thomas"
    friction: float = 0.18
    dt: float = Field(default=0.2, gt=0)  # [system time]

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        return state.roll(-1, -1).sin() - self.friction * state

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        return state.roll(-1, -1).cos()[..., None] * tangents.roll(-1, -2) - self.friction * tangents
