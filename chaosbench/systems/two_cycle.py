"""The logistic map with an attracting cycle of two steps."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.base import Map


class TwoCycle(Map):
    """The logistic map in its two-cycle: the simplest attractor that is not a fixed point.

    x' = r x (1 - x)

    The exponent is ln |4 + 2 r - r^2| / 2.

    Source:
        May 1976, Nature 261, 459, equation 3.
    """

    dimension: ClassVar[int] = 1
    start: ClassVar[tuple[float, ...] | None] = (0.4,)
    spread: ClassVar[float] = 0.03  # orbits outside [0, 1] escape
    transient: ClassVar[float] = 200.0  # [steps]

    kind: Literal["two_cycle"] = "two_cycle"
    r: float = Field(default=3.2, gt=3, lt=3.44)  # growth rate; above 1 + sqrt 6 the cycle has four steps

    @override
    def step(self, state: Tensor) -> Tensor:
        return self.r * state * (1 - state)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        return self.step(state), (self.r * (1 - 2 * state))[..., None] * tangents
