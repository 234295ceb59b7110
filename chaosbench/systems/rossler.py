"""The Rössler system of 1976."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.systems.base import Flow
from chaosbench.systems.reference import Reference

_METHOD = (
    "tangent dynamics in float64, QR every 5 steps: "
    "1024 orbits of 5000 steps after 1000, dt 0.08, seed 0; 1.96 standard errors over the orbits"
)


class Rossler(Flow):
    """A spiral folded once per turn: chaos in amplitude, with a nearly regular phase.

    x' = -y - z,  y' = x + a y,  z' = b + z (x - c)

    Source:
        Rössler 1976, Physics Letters A 57, 397, equation 2.
    """

    dimension: ClassVar[int] = 3
    start: ClassVar[tuple[float, ...] | None] = (1.0, 1.0, 0.0)
    transient: ClassVar[float] = 150.0  # [system time]
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            parameters={"a": 0.2, "b": 0.2, "c": 5.7},
            exponents=(0.071424, 0.000169, -5.395212),
            intervals=(0.000477, 0.000158, 0.001219),
            source="computed by chaosbench",
            method=_METHOD,
        ),
        Reference(
            parameters={"a": 0.15, "b": 0.2, "c": 10.0},
            exponents=(0.088686, -0.000052, -9.800506),
            intervals=(0.000476, 0.000108, 0.001206),
            source="computed by chaosbench",
            method=_METHOD,
        ),
    )

    kind: Literal["rossler"] = "rossler"
    a: float = 0.2
    b: float = 0.2
    c: float = 5.7
    dt: float = Field(default=0.08, gt=0)  # [system time]; the step errs by 4e-8 per unit of time

    def vector_field(self, state: Tensor) -> Tensor:
        """dz/dt, `(..., 3)` to `(..., 3)`."""
        x, y, z = state.unbind(-1)
        return torch.stack([-y - z, x + self.a * y, self.b + z * (x - self.c)], dim=-1)

    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        """The field's Jacobian times `tangents`, `(..., 3), (..., 3, M)` to `(..., 3, M)`."""
        x, _, z = state[..., None].unbind(-2)
        u, v, w = tangents.unbind(-2)
        return torch.stack([-v - w, u + self.a * v, z * u + (x - self.c) * w], dim=-2)
