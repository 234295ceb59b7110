"""The Kuramoto-Sivashinsky equation on a ring."""

from functools import lru_cache
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.dynamics import ExponentialWeights, exponential_step, exponential_weights
from chaosbench.systems.flow import Flow


class KuramotoSivashinsky(Flow):
    """Spatiotemporal chaos of a flame front: long waves grow, short waves decay, and the nonlinearity couples them.

    u_t = -u u_x - u_xx - u_xxxx,  u(x + length) = u(x)

    The state is u on a grid; its mean is conserved and zero. A step is `substeps` steps of the exponential method
    ETDRK4 on the Fourier modes; products drop the upper third of the modes (dealiasing). Three exponents are zero:
    along the flow, under translation, and under a change of the mean (Galilean invariance).

    Source:
        Kuramoto & Tsuzuki 1976, Progress of Theoretical Physics 55, 356; Sivashinsky 1977, Acta Astronautica 4, 1177;
        method: Kassam & Trefethen 2005, SIAM Journal on Scientific Computing 26, 1214.
    """

    spread: ClassVar[float] = 1.0
    transient: ClassVar[float] = 200.0  # [system time]
    leading: ClassVar[int | None] = 8
    neutral: ClassVar[int] = 3
    own_step: ClassVar[bool] = True  # ETDRK4

    kind: Literal["kuramoto_sivashinsky"] = "kuramoto_sivashinsky"
    length: float = Field(default=22.0, gt=0)  # of the ring, a period of u
    size: int = Field(default=64, ge=8, multiple_of=2)  # grid points
    dt: float = Field(default=0.25, gt=0)  # [system time]
    substeps: int = Field(default=8, ge=1)  # ETDRK4 steps per dt; error 2e-6 per unit of time

    @property
    @override
    def dimension(self) -> int:
        """Number of grid points; each is an observable."""
        return self.size

    @override
    def random_starts(self, batch: int, generator: Generator) -> Tensor:
        """Sample white noise and subtract its mean, which the equation would conserve."""
        noise = super().random_starts(batch, generator)
        return noise - noise.mean(-1, keepdim=True)

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        linear, derivative = _symbols(self.length, self.size, state.dtype, state.device)
        modes = torch.fft.rfft(state)
        slope: Tensor = torch.fft.irfft(linear * modes + _product(derivative, modes[..., None, :])[..., 0, :])
        return slope

    @override
    def step(self, state: Tensor) -> Tensor:
        return self._advanced(state[..., None, :])[..., 0, :]

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state and tangents, integrated together by the same method."""
        rows = self._advanced(torch.cat([state[..., None, :], tangents.mT], dim=-2))
        return rows[..., 0, :], rows[..., 1:, :].mT

    def _advanced(self, rows: Tensor) -> Tensor:
        """Return state (row 0) and tangents (other rows) one `dt` later, `(..., 1 + M, S)`."""
        _, derivative = _symbols(self.length, self.size, rows.dtype, rows.device)
        weights = _weights(self.length, self.size, self.dt / self.substeps, rows.dtype, rows.device)
        modes = torch.fft.rfft(rows)
        for _ in range(self.substeps):
            modes = exponential_step(lambda z: _product(derivative, z), modes, weights)
        advanced: Tensor = torch.fft.irfft(modes)
        return advanced


def _product(derivative: Tensor, modes: Tensor) -> Tensor:
    """Return the modes of -(u^2 / 2)_x in row 0 and of -(u v)_x in the row of each tangent v, `(..., 1 + M, F)`."""
    rows = torch.fft.irfft(modes)
    state = rows[..., :1, :]
    products: Tensor = torch.fft.rfft(torch.cat([state / 2, rows[..., 1:, :]], dim=-2) * state)
    return derivative * products


@lru_cache(maxsize=16)
def _symbols(length: float, size: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return per mode `(F)` the linear part k^2 - k^4 and the derivative -i k, zero for modes that products drop."""
    number = torch.arange(size // 2 + 1, dtype=torch.float64, device=device)
    wave = 2 * torch.pi * number / length
    derivative = torch.where(3 * number < size, -1j * wave, 0)
    linear = wave**2 - wave**4
    return linear.to(dtype), derivative.to(torch.complex64 if dtype == torch.float32 else torch.complex128)


@lru_cache(maxsize=16)
def _weights(length: float, size: int, dt: float, dtype: torch.dtype, device: torch.device) -> ExponentialWeights:
    linear, _ = _symbols(length, size, torch.float64, device)
    return ExponentialWeights(*(weight.to(dtype) for weight in exponential_weights(linear, dt)))
