"""The delay systems of dysts, stepped as maps on the history over one delay."""

from functools import lru_cache
from math import exp
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench_dysts import equations
from chaosbench_dysts.systems import DystsSystem

_POINTS = 6  # samples through which each polynomial is interpolated


class DystsDelay(DystsSystem):
    """A delay system of the collection dysts, chosen by its name; x(t) is observed.

    All of them are x' = f(x(t - tau)) - loss x. The state is x(t), x(t - h), ..., x(t - tau) with h = dt / substeps: it
    determines f over the next dt (method of steps), where polynomials of degree 5 interpolate f and are integrated
    exactly against exp(-loss t).

    Source:
        Gilpin 2021, Advances in Neural Information Processing Systems 34 (arXiv 2110.05266). dysts names the source of
        each system.
    """

    module: ClassVar[str] = "flows"
    delayed: ClassVar[bool] = True
    leading: ClassVar[int | None] = 4

    kind: Literal["dysts_delay"] = "dysts_delay"
    dt: float = Field(default=0.1, gt=0)  # [system time] per step; left out, it is chosen for the name
    substeps: int = Field(default=1, ge=1)  # samples of the history per dt; left out, they are chosen for the name

    __hash__ = DystsSystem.__hash__  # pydantic would hash the mapping `constants`

    @model_validator(mode="after")
    def _history_fits(self) -> Self:
        samples = self._tau * self.substeps / self.dt
        if abs(samples - round(samples)) > 1e-9 * samples or round(samples) < max(self.substeps, _POINTS):
            raise ValueError(
                f"tau={self._tau:g} is not a multiple, of at least {_POINTS}, of dt / substeps = "
                f"{self.dt / self.substeps:g}; change dt or substeps"
            )
        return self

    @property
    def _tau(self) -> float:
        tau = self.all_constants["tau"]
        assert isinstance(tau, float)
        return tau

    @property
    @override
    def state_size(self) -> int:
        """Number of samples of the history over one delay, both ends included."""
        return round(self._tau * self.substeps / self.dt) + 1

    @override
    def step(self, state: Tensor) -> Tensor:
        """Return the history one dt later, newest sample first, `(..., S) -> (..., S)`."""
        loss = self._slope(state.new_zeros(())) - self._slope(state.new_zeros(()), now=1.0)
        decay, weights = _integration(float(loss), self.dt / self.substeps, self.substeps, state.dtype, state.device)
        past = state[..., -weights.shape[1] :]
        newest = state[..., :1] * decay + self._slope(past) @ weights.mT
        return torch.cat([newest, state[..., : -self.substeps]], dim=-1)

    def _slope(self, past: Tensor, now: float = 0.0) -> Tensor:
        """Return x' from x(t) and x(t - tau), elementwise."""
        return equations.delayed_slope(self.name, self.all_constants, torch.full_like(past, now), past)

    def step_error(self) -> float:
        """Estimate the error per unit of system time, in standard deviations of the attractor [1 / system time]."""
        fine = self.replaced(substeps=2 * self.substeps)
        states = fine.initial_state(64, Generator().manual_seed(0))
        difference = fine.step(states)[..., ::2] - self.step(states[..., ::2])
        return float(difference.abs().max() / states.std()) / self.dt


@lru_cache(maxsize=64)
def _integration(loss: float, h: float, count: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return weights of x(t) `(count)` and of the P oldest values of f `(count, P)` in new samples, newest first."""
    points = max(count + 1, _POINTS)
    rows = [np.zeros(points)]  # weights of each value, oldest first
    for interval in range(count):
        first = min(max(interval - _POINTS // 2 + 1, 0), points - _POINTS)
        added = np.zeros(points)
        added[first : first + _POINTS] = h * _quadrature(loss * h, interval - first)
        rows.append(exp(-loss * h) * rows[-1] + added)
    decay = [exp(-loss * h * index) for index in range(count, 0, -1)]
    weights = np.stack(rows[:0:-1])[:, ::-1].copy()
    return torch.tensor(decay, dtype=dtype, device=device), torch.from_numpy(weights).to(device, dtype)


def _quadrature(rate: float, begin: int) -> np.ndarray:
    """Return weights of f(0) .. f(P-1) in the integral of exp(-rate (begin + 1 - s)) f(s) over [begin, begin + 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(10)
    positions = (nodes + 1) / 2
    powers = np.vander(begin + positions, _POINTS)
    lagrange = powers @ np.linalg.inv(np.vander(np.arange(_POINTS), _POINTS))
    return np.asarray((weights / 2 * np.exp(-rate * (1 - positions))) @ lagrange)
