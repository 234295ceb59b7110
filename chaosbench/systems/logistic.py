"""The logistic map."""

from math import log
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.base import Map
from chaosbench.systems.reference import Reference


class Logistic(Map):
    """Population growth with limited resources; depending on r, a fixed point, cycles or chaos.

    x' = r x (1 - x)

    At r = 4 the exponent is exactly ln 2, but rounded orbits end in short cycles, in single precision within thousands
    of steps. The default is therefore smaller.

    Source:
        May 1976, Nature 261, 459, equation 3; the exponent at r = 4: Ulam & von Neumann 1947, Bulletin of the
        American Mathematical Society 53, 1120.
    """

    dimension: ClassVar[int] = 1
    start: ClassVar[tuple[float, ...] | None] = (0.4,)
    spread: ClassVar[float] = 0.03  # orbits outside [0, 1] escape
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
    r: float = Field(default=3.9, ge=0, le=4)  # growth rate

    @override
    def step(self, state: Tensor) -> Tensor:
        return self.r * state * (1 - state)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        return self.step(state), (self.r * (1 - 2 * state))[..., None] * tangents
