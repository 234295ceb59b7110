"""The Hamiltonian of Hénon and Heiles: a star in a galaxy."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.dynamics import Method
from chaosbench.systems.flow import Flow


class HenonHeiles(Flow):
    """Two oscillators with a cubic coupling, which conserve their energy; chaotic and regular orbits coexist.

    x' = u,  y' = v,  u' = -x - 2 x y,  v' = -y - x^2 + y^2,
    energy H = (u^2 + v^2 + x^2 + y^2) / 2 + x^2 y - y^3 / 3

    Each energy has exponents of its own. Random starts lie in the chaotic sea of energy 1/8: they differ from `start`
    in the direction of the momentum. The default method is symplectic.

    Source:
        Hénon & Heiles 1964, Astronomical Journal 69, 73, equation 11.
    """

    dimension: ClassVar[int] = 4
    start: ClassVar[tuple[float, ...] | None] = (0.0, -0.25, 0.42081, 0.0)
    spread: ClassVar[float] = 0.05  # of the direction of the momentum [radians]
    transient: ClassVar[float] = 300.0  # [system time]; six times the inverse of the largest exponent is enough to mix
    neutral: ClassVar[int] = 2  # along the flow, and across energies

    kind: Literal["henon_heiles"] = "henon_heiles"
    coupling: float = 1.0  # factor of the cubic terms
    dt: float = Field(default=0.5, gt=0)  # [system time]; an oscillation takes 6.3
    method: Method = "gauss"

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        x, y, u, v = state.unbind(-1)
        pull = self.coupling * (x * x - y * y)
        return torch.stack([u, v, -x - 2 * self.coupling * x * y, -y - pull], dim=-1)

    @override
    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        x, y, _, _ = (2 * self.coupling * state[..., None]).unbind(-2)
        a, b, c, d = tangents.unbind(-2)
        return torch.stack([c, d, -(1 + y) * a - x * b, -x * a - (1 - y) * b], dim=-2)

    @override
    def energy(self, state: Tensor) -> Tensor:
        """Return the energy H, `(..., 4) -> (...)`."""
        x, y, u, v = state.unbind(-1)
        return (u * u + v * v + x * x + y * y) / 2 + self.coupling * (x * x * y - y * y * y / 3)

    @override
    def random_starts(self, batch: int, generator: Generator) -> Tensor:
        """Turn the momentum of `start` by random angles, which keeps the energy, `(B, 4)`."""
        assert self.start is not None
        x, y, u, v = torch.tensor(self.start, dtype=torch.float64)
        angle = self.spread * torch.randn(batch, dtype=torch.float64, generator=generator)
        turned = [u * angle.cos() - v * angle.sin(), u * angle.sin() + v * angle.cos()]
        return torch.stack([x.expand(batch), y.expand(batch), *turned], dim=-1)
