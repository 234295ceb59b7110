"""The Mackey-Glass equation of 1977, stepped as a map on the history over one delay."""

from functools import lru_cache
from math import exp
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.systems.base import SystemSpec

_POINTS = 6  # samples through which each polynomial is interpolated


class MackeyGlass(SystemSpec):
    """The concentration of blood cells, whose production depends on the concentration one delay earlier.

    x' = beta x(t - tau) / (1 + x(t - tau)^n) - gamma x

    The state is x(t), x(t - h), ..., x(t - tau) with h = dt / substeps. The history determines the production over the
    next `dt` (method of steps); polynomials of degree 5 interpolate it and are integrated exactly against
    exp(-gamma t), so that a step is one matrix product.

    Source:
        Mackey & Glass 1977, Science 197, 287, equation 4b.
    """

    dimension: ClassVar[int] = 1
    start: ClassVar[tuple[float, ...] | None] = (0.9,)  # a constant history; from a negative one x stays negative
    transient: ClassVar[float] = 2000.0  # [system time]
    leading: ClassVar[int | None] = 4

    kind: Literal["mackey_glass"] = "mackey_glass"
    beta: float = 0.2  # production
    gamma: float = Field(default=0.1, gt=0)  # loss
    n: float = 10.0  # steepness of the feedback
    tau: float = Field(default=17.0, gt=0)  # delay [system time]
    dt: float = Field(default=1.0, gt=0)  # [system time]
    substeps: int = Field(default=4, ge=1)  # samples of the history per dt

    @model_validator(mode="after")
    def _history_fits(self) -> Self:
        intervals = self.tau * self.substeps / self.dt
        if abs(intervals - round(intervals)) > 1e-9 * intervals:
            raise ValueError(
                f"tau={self.tau} is not a multiple of dt / substeps = {self.dt / self.substeps}; change either"
            )
        if round(intervals) < max(self.substeps, _POINTS):
            raise ValueError(
                f"tau={self.tau} is too short for dt={self.dt} with substeps={self.substeps}; choose a smaller dt"
            )
        return self

    @property
    @override
    def state_size(self) -> int:
        """Number of samples of the history over one delay, both ends included."""
        return round(self.tau * self.substeps / self.dt) + 1

    @override
    def step(self, state: Tensor) -> Tensor:
        """Return the history one `dt` later, newest sample first, `(..., S) -> (..., S)`."""
        decay, weights = self._matrices(state)
        past = state[..., -weights.shape[1] :]
        newest = state[..., :1] * decay + (self.beta * past / (1 + past.abs() ** self.n)) @ weights.mT
        return torch.cat([newest, state[..., : -self.substeps]], dim=-1)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        decay, weights = self._matrices(state)
        past = state[..., -weights.shape[1] :]
        power = past.abs() ** self.n
        slope = self.beta * (1 + (1 - self.n) * power) / (1 + power) ** 2
        newest = decay[:, None] * tangents[..., :1, :] + weights @ (
            slope[..., None] * tangents[..., -len(weights[0]) :, :]
        )
        return self.step(state), torch.cat([newest, tangents[..., : -self.substeps, :]], dim=-2)

    def step_error(self) -> float:
        """Estimate the error per unit of system time, in standard deviations of the attractor [1 / system time]."""
        fine = self.replaced(substeps=2 * self.substeps)
        states = fine.initial_state(64, Generator().manual_seed(0))
        difference = fine.step(states)[..., ::2] - self.step(states[..., ::2])
        return float(difference.abs().max() / states.std()) / self.dt

    def _matrices(self, state: Tensor) -> tuple[Tensor, Tensor]:
        return _integration(self.gamma, self.dt / self.substeps, self.substeps, state.dtype, state.device)


@lru_cache(maxsize=64)
def _integration(gamma: float, h: float, count: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return weights of x(t) `(count)` and of the P oldest productions `(count, P)` in new samples, newest first."""
    points = max(count + 1, _POINTS)
    samples = [torch.zeros(points, dtype=torch.float64)]  # weights of each production, oldest production first
    for interval in range(count):
        first = min(max(interval - _POINTS // 2 + 1, 0), points - _POINTS)
        added = torch.zeros(points, dtype=torch.float64)
        added[first : first + _POINTS] = h * _quadrature(gamma * h, interval - first)
        samples.append(exp(-gamma * h) * samples[-1] + added)
    decay = torch.tensor([exp(-gamma * h * index) for index in range(count, 0, -1)], dtype=torch.float64)
    return decay.to(device, dtype), torch.stack(samples[:0:-1]).flip(-1).to(device, dtype)


def _quadrature(rate: float, begin: int) -> Tensor:
    """Return weights of f(0) .. f(P-1) in the integral of exp(-rate (begin + 1 - s)) f(s) over [begin, begin + 1]."""
    nodes, weights = _gauss_legendre()
    positions = begin + nodes
    points = torch.arange(_POINTS, dtype=torch.float64)
    lagrange = torch.ones(len(nodes), _POINTS, dtype=torch.float64)
    for other in range(_POINTS):
        factor = (positions[:, None] - other) / torch.where(points == other, 1.0, points - other)
        lagrange = lagrange * torch.where(points == other, 1.0, factor)
    return (weights * torch.exp(-rate * (1 - nodes))) @ lagrange


def _gauss_legendre() -> tuple[Tensor, Tensor]:
    """Return ten nodes and weights on [0, 1], computed from the Jacobi matrix (Golub & Welsch 1969)."""
    order = torch.arange(1, 10, dtype=torch.float64)
    side = order / (4 * order * order - 1).sqrt()
    values, vectors = torch.linalg.eigh(torch.diag(side, 1) + torch.diag(side, -1))
    return (1 + values) / 2, vectors[0] ** 2
