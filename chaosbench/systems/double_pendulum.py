"""The double pendulum with equal masses and rods."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow


class DoublePendulum(Flow):
    """Two equal masses on two equal rods, which conserve their energy; chaotic and regular orbits coexist.

    With angles a, b from the vertical, their momenta p, q, d = a - b, s = 1 + sin^2 d and
    T = (p^2 - 2 p q cos d + 2 q^2) / (2 s), in units of the mass and the rod:

    a' = (p - q cos d) / s,  b' = (2 q - p cos d) / s,  p' = -2 g sin a - F,  q' = -g sin b + F,
    F = (p q sin d - T sin 2d) / s,  energy H = T - 2 g cos a - g cos b

    Each energy has exponents of its own. Random starts have the energy of `start`, H = -1/2, at which the
    outer rod turns over. Observed are sine and cosine of the angles, and the momenta.

    Source:
        Landau & Lifshitz 1976, Mechanics, third edition, section 5, problem 1; chaos: Shinbrot, Grebogi, Wisdom &
        Yorke 1992, American Journal of Physics 60, 491.
    """

    dimension: ClassVar[int] = 6
    start: ClassVar[tuple[float, ...] | None] = (0.0, 0.0, 3.0, 2.0)
    spread: ClassVar[float] = 0.1
    transient: ClassVar[float] = 200.0  # [system time]
    neutral: ClassVar[int] = 2  # along the flow, and across energies

    kind: Literal["double_pendulum"] = "double_pendulum"
    gravity: float = 1.0  # g
    dt: float = Field(default=0.04, gt=0)  # [system time]; small oscillations take 3.4 and 8.2

    @property
    @override
    def state_size(self) -> int:
        """Two angles and two momenta."""
        return 4

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        a, b, p, q = state.unbind(-1)
        sine, cosine = (a - b).sin(), (a - b).cos()
        size = 1 + sine * sine
        kinetic = (p * p - 2 * p * q * cosine + 2 * q * q) / (2 * size)
        force = (p * q * sine - 2 * kinetic * sine * cosine) / size
        return torch.stack(
            [
                (p - q * cosine) / size,
                (2 * q - p * cosine) / size,
                -2 * self.gravity * a.sin() - force,
                -self.gravity * b.sin() + force,
            ],
            dim=-1,
        )

    @override
    def energy(self, state: Tensor) -> Tensor:
        """Return the energy H, `(..., 4) -> (...)`."""
        return _kinetic(state) + self._potential(state)

    @override
    def observe(self, state: Tensor) -> Tensor:
        """Return sines and cosines of both angles, and both momenta, `(..., 4) -> (..., 6)`."""
        angles = state[..., :2]
        return torch.cat([angles.sin(), angles.cos(), state[..., 2:]], dim=-1)

    @override
    def random_starts(self, batch: int, generator: Generator) -> Tensor:
        """Scatter states around `start`, with momenta of the length that keeps its energy, `(B, 4)`."""
        start = torch.tensor(self.start, dtype=torch.float64)
        state = start + self.spread * torch.randn(batch, 4, dtype=torch.float64, generator=generator)
        factor = ((self.energy(start) - self._potential(state)) / _kinetic(state)).sqrt()
        return torch.cat([state[:, :2], factor[:, None] * state[:, 2:]], dim=-1)

    def _potential(self, state: Tensor) -> Tensor:
        return -self.gravity * (2 * state[..., 0].cos() + state[..., 1].cos())


def _kinetic(state: Tensor) -> Tensor:
    a, b, p, q = state.unbind(-1)
    return (p * p - 2 * p * q * (a - b).cos() + 2 * q * q) / (2 * (1 + (a - b).sin().square()))
