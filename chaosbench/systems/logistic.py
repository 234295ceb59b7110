"""The logistic map."""

from math import log
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from chaosbench.systems.base import Map
from chaosbench.systems.reference import Reference


class Logistic(Map):
    """Growth that starves itself: the simplest map with every regime from rest to chaos.

    x' = r x (1 - x)

    At r = 4 the exponent is ln 2 exactly, but rounded orbits fall onto short cycles, in single precision within
    thousands of steps; the default is smaller.

    Source:
        May 1976, Nature 261, 459, equation 3; the exponent at r = 4: Ulam & von Neumann 1947, Bulletin of the
        American Mathematical Society 53, 1120.
    """

    dimension: ClassVar[int] = 1
    start: ClassVar[tuple[float, ...] | None] = (0.4,)
    spread: ClassVar[float] = 0.03  # outside of [0, 1] orbits escape
    transient: ClassVar[float] = 1000.0  # [steps]
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            parameters={"r": 4.0},
            exponents=(log(2),),
            intervals=(0.0,),
            source="Ulam & von Neumann 1947",
            method="exact: x = sin^2(pi u / 2) makes it the tent map of slope 2",
        ),
    )

    kind: Literal["logistic"] = "logistic"
    r: float = Field(default=3.9, ge=0, le=4)  # rate of growth

    def step(self, state: Tensor) -> Tensor:
        """The next state, `(..., 1)` to `(..., 1)`."""
        return self.r * state * (1 - state)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The next state `(..., 1)` and tangents `(..., 1, M)`."""
        return self.step(state), (self.r * (1 - 2 * state))[..., None] * tangents
