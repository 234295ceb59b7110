"""The Ikeda map."""

from typing import ClassVar, Literal

import torch
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.base import Map


class Ikeda(Map):
    """The complex amplitude of light in a ring cavity with a nonlinear medium.

    x' = 1 + u (x cos t - y sin t),  y' = u (x sin t + y cos t),  t = 0.4 - 6 / (1 + x^2 + y^2)

    The determinant of the Jacobian is u^2 everywhere. At u = 0.9 a stable fixed point near (2.97, 4.15) coexists with
    the strange attractor; orbits that start near the origin do not reach it.

    Source:
        Ikeda 1979, Optics Communications 30, 257; this form: Hammel, Jones & Moloney 1985, Journal of the Optical
        Society of America B 2, 552.
    """

    dimension: ClassVar[int] = 2
    transient: ClassVar[float] = 1000.0  # [steps]

    kind: Literal["ikeda"] = "ikeda"
    u: float = 0.9  # fraction of the amplitude that remains after a round trip

    @override
    def step(self, state: Tensor) -> Tensor:
        x, y = state.unbind(-1)
        angle = 0.4 - 6 / (1 + x * x + y * y)
        sine, cosine = self.u * angle.sin(), self.u * angle.cos()
        return torch.stack([1 + x * cosine - y * sine, x * sine + y * cosine], dim=-1)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state and tangents; the tangents are rotated, and sheared by the change of the angle."""
        stepped = self.step(state)
        x, y = state[..., None].unbind(-2)
        u, v = tangents.unbind(-2)
        distance = 1 + x * x + y * y
        angle = 0.4 - 6 / distance
        shear = 12 * (x * u + y * v) / (distance * distance)
        sine, cosine = self.u * angle.sin(), self.u * angle.cos()
        across, along = -stepped[..., 1:], stepped[..., :1] - 1
        return stepped, torch.stack([u * cosine - v * sine + across * shear, u * sine + v * cosine + along * shear], -2)
