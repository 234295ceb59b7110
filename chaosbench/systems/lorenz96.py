"""The Lorenz system of 1996."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


class Lorenz96(Flow):
    """A ring of weather stations with advection, damping and forcing; the attractor's dimension grows with `size`.

    x_i' = (x_(i+1) - x_(i-2)) x_(i-1) - x_i + forcing

    Source:
        Lorenz 1996, Proceedings of the ECMWF Seminar on Predictability 1, 1, equation 1.
    """

    spread: ClassVar[float] = 3.0  # around the origin; the forcing drives every station away from it
    transient: ClassVar[float] = 100.0  # [system time]

    kind: Literal["lorenz96"] = "lorenz96"
    size: int = Field(default=10, ge=4)  # number of stations
    forcing: float = 8.0
    dt: float = Field(default=0.04, gt=0)  # [system time]; error of the step 2e-7 per unit of time

    @property
    @override
    def dimension(self) -> int:
        """Number of stations; each is an observable."""
        return self.size

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        return (state.roll(-1, -1) - state.roll(2, -1)) * state.roll(1, -1) - state + self.forcing

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        difference = (state.roll(-1, -1) - state.roll(2, -1))[..., None]
        carried = (tangents.roll(-1, -2) - tangents.roll(2, -2)) * state.roll(1, -1)[..., None]
        return torch.addcmul(carried, difference, tangents.roll(1, -2)) - tangents
