"""A cycle of two steps."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from chaosbench.systems.base import Map


class TwoCycle(Map):
    """The logistic map where it alternates between two values: the simplest thing to learn that is not a point.

    x' = r x (1 - x)

    The exponent is ln |4 + 2 r - r^2| / 2.

    Source:
        May 1976, Nature 261, 459, equation 3.
    """

    dimension: ClassVar[int] = 1
    start: ClassVar[tuple[float, ...] | None] = (0.4,)
    spread: ClassVar[float] = 0.03  # outside of [0, 1] orbits escape
    transient: ClassVar[float] = 200.0  # [steps]

    kind: Literal["two_cycle"] = "two_cycle"
    r: float = Field(default=3.2, gt=3, lt=3.44)  # rate of growth; from 1 + sqrt 6 on, the cycle has four steps

    def step(self, state: Tensor) -> Tensor:
        """The next state, `(..., 1)` to `(..., 1)`."""
        return self.r * state * (1 - state)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The next state `(..., 1)` and tangents `(..., 1, M)`."""
        return self.step(state), (self.r * (1 - 2 * state))[..., None] * tangents
