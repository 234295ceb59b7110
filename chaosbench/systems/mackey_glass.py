"""The Mackey-Glass equation of 1977, a map of one delay's history."""

from functools import lru_cache
from math import exp
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor

from chaosbench.systems.base import SystemSpec

_POINTS = 6  # of each interpolating polynomial


class MackeyGlass(SystemSpec):
    """The number of blood cells, whose production answers to their number a delay ago.

    x' = beta x(t - tau) / (1 + x(t - tau)^n) - gamma x

    The state is x(t), x(t - h), ..., x(t - tau) with h = dt / substeps. By the method of steps the production of the
    next `dt` is known from the history: it is interpolated by polynomials of degree 5 and integrated exactly
    against exp(-gamma t), which makes a step one matrix product.

    Source:
        Mackey & Glass 1977, Science 197, 287, equation 4b.
    """

    dimension: ClassVar[int] = 1
    start: ClassVar[tuple[float, ...] | None] = (0.9,)  # throughout; from negative histories x stays negative
    transient: ClassVar[float] = 2000.0  # [system time]
    leading: ClassVar[int | None] = 4

    kind: Literal["mackey_glass"] = "mackey_glass"
    beta: float = 0.2  # production
    gamma: float = Field(default=0.1, gt=0)  # loss
    n: float = 10.0  # steepness of the answer
    tau: float = Field(default=17.0, gt=0)  # delay [system time]
    dt: float = Field(default=1.0, gt=0)  # [system time]
    substeps: int = Field(default=4, ge=1)  # samples of the history per dt

    @model_validator(mode="after")
    def _history_fits(self) -> Self:
        intervals = self.tau * self.substeps / self.dt
        if abs(intervals - round(intervals)) > 1e-9 * intervals:
            raise ValueError(
                f"tau={self.tau} is no multiple of dt / substeps = {self.dt / self.substeps}; change either"
            )
        if round(intervals) < max(self.substeps, _POINTS):
            raise ValueError(
                f"tau={self.tau} is too short for dt={self.dt} with substeps={self.substeps}; take a smaller dt"
            )
        return self

    @property
    def state_size(self) -> int:
        """Samples of one delay, both ends included."""
        return round(self.tau * self.substeps / self.dt) + 1

    def step(self, state: Tensor) -> Tensor:
        """The history one `dt` later, `(..., S)` to `(..., S)`, newest first."""
        decay, weights = self._matrices(state)
        past = state[..., -weights.shape[1] :]
        newest = state[..., :1] * decay + (self.beta * past / (1 + past.abs() ** self.n)) @ weights.mT
        return torch.cat([newest, state[..., : -self.substeps]], dim=-1)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The next state `(..., S)` and tangents `(..., S, M)`."""
        decay, weights = self._matrices(state)
        past = state[..., -weights.shape[1] :]
        power = past.abs() ** self.n
        slope = self.beta * (1 + (1 - self.n) * power) / (1 + power) ** 2
        newest = decay[:, None] * tangents[..., :1, :] + weights @ (
            slope[..., None] * tangents[..., -len(weights[0]) :, :]
        )
        return self.step(state), torch.cat([newest, tangents[..., : -self.substeps, :]], dim=-2)

    def step_error(self) -> float:
        """Error that a unit of system time adds, in standard deviations of the attractor [1 / system time]."""
        fine = self.replaced(substeps=2 * self.substeps)
        states = fine.initial_state(64, Generator().manual_seed(0))
        difference = fine.step(states)[..., ::2] - self.step(states[..., ::2])
        return float(difference.abs().max() / states.std()) / self.dt

    def _matrices(self, state: Tensor) -> tuple[Tensor, Tensor]:
        return _integration(self.gamma, self.dt / self.substeps, self.substeps, state.dtype, state.device)


@lru_cache(maxsize=64)
def _integration(gamma: float, h: float, count: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Weights of x(t), `(count)`, and of the oldest productions, `(count, P)`, in the new samples, newest first."""
    points = max(count + 1, _POINTS)
    samples = [torch.zeros(points, dtype=torch.float64)]  # by position of the production, oldest first
    for interval in range(count):
        first = min(max(interval - _POINTS // 2 + 1, 0), points - _POINTS)
        added = torch.zeros(points, dtype=torch.float64)
        added[first : first + _POINTS] = h * _quadrature(gamma * h, interval - first)
        samples.append(exp(-gamma * h) * samples[-1] + added)
    decay = torch.tensor([exp(-gamma * h * index) for index in range(count, 0, -1)], dtype=torch.float64)
    return decay.to(device, dtype), torch.stack(samples[:0:-1]).flip(-1).to(device, dtype)


def _quadrature(rate: float, begin: int) -> Tensor:
    """Weights at the points 0 .. P-1 of the integral from `begin` to `begin` + 1 of exp(-rate (begin + 1 - s)) f(s)."""
    nodes, weights = _gauss_legendre()
    places = begin + nodes
    points = torch.arange(_POINTS, dtype=torch.float64)
    lagrange = torch.ones(len(nodes), _POINTS, dtype=torch.float64)
    for other in range(_POINTS):
        factor = (places[:, None] - other) / torch.where(points == other, 1.0, points - other)
        lagrange = lagrange * torch.where(points == other, 1.0, factor)
    return (weights * torch.exp(-rate * (1 - nodes))) @ lagrange


def _gauss_legendre() -> tuple[Tensor, Tensor]:
    """Ten nodes and weights on [0, 1], from the eigenvectors of the Jacobi matrix (Golub & Welsch 1969)."""
    order = torch.arange(1, 10, dtype=torch.float64)
    side = order / (4 * order * order - 1).sqrt()
    values, vectors = torch.linalg.eigh(torch.diag(side, 1) + torch.diag(side, -1))
    return (1 + values) / 2, vectors[0] ** 2
