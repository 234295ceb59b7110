"""A data set: what training sees, and the truth that forecasts are judged by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Self

import torch
from torch import Generator, Tensor

from chaosbench.dynamics import orbit
from chaosbench.errors import DataError
from chaosbench.series.rosenstein import DivergenceCurve
from chaosbench.systems.base import SystemSpec

STATES_EVERY = 25  # [steps] from one kept state of a test orbit to the next


@dataclass(frozen=True)
class Dataset:
    """Orbits from different initial conditions for training, validation and test, standardised.

    Attributes:
        train, validation: `(N, T, D)`, as observed, noise included.
        test: `(N, T, D)`, the truth, without noise.
        seen: `(N, T, D)`, the test orbits as observed: what forecasts start from.
        history: `(N, history + T, O)`, the test orbits before delay embedding [the system's units].
        states: `(N, ceil(T / STATES_EVERY), S)` float64, the system's own states along the test orbits, every
            `STATES_EVERY` steps; None where they are unknown.
        mean, deviation: `(D,)`, what was subtracted and divided by [the system's units].
        system: where they come from.
        dt: [system time] per step of the data.
        stride: steps of the system per step of the data.
        noise: of the observations, in standard deviations of each observable.
        observed, embedding, lag: how a state is seen; see `DataSpec`.
        largest_exponent: certified, measured, or estimated [1 / system time]; None or <= 0 where there is no chaos.
        divergence: of neighbours in a measured series, from which its exponent is read; None for a simulated system.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    seen: Tensor
    history: Tensor
    states: Tensor | None
    mean: Tensor
    deviation: Tensor
    system: SystemSpec
    dt: float
    stride: int
    noise: float
    observed: tuple[int, ...] | None
    embedding: int
    lag: int
    largest_exponent: float | None
    divergence: DivergenceCurve | None = None

    @property
    def dimension(self) -> int:
        """D, what a model sees."""
        return self.train.shape[-1]

    @property
    def predictability_time(self) -> float:
        """tau_pred = ln 2 / lambda_max [steps].

        Raises:
            DataError: where the system is not chaotic.

        Source:
            Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, equation 17.
        """
        if self.largest_exponent is None or self.largest_exponent <= 0:
            raise DataError(
                f"{self.system.label} is not chaotic and has no predictability time; give the interval in steps"
            )
        return log(2) / (self.largest_exponent * self.dt)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Self:
        """What models see and are judged by, elsewhere; the system's own states stay in float64 where they are."""
        names = ("train", "validation", "test", "seen", "mean", "deviation")
        return replace(self, **{name: getattr(self, name).to(device, dtype) for name in names})

    def windows(self, batch: int, length: int, generators: Sequence[Generator]) -> Tensor:
        """Random stretches of the training orbits, `(K, B, length + 1, D)`; each seed's from its own generator.

        Raises:
            DataError: where the orbits are too short.
        """
        orbits, steps = self.train.shape[:2]
        starts = steps - length
        if starts < 1:
            raise DataError(f"windows of {length} + 1 steps do not fit into training orbits of {steps} steps")
        draws = torch.stack([torch.randint(orbits * starts, (batch,), generator=g) for g in generators])
        draws = draws.to(self.train.device)
        stretches = self.train.unfold(1, length + 1, 1)
        return stretches[draws // starts, draws % starts].mT

    def conditions(self, count: int, horizon: int) -> tuple[Tensor, Tensor]:
        """Orbit and time of test conditions, evenly spread, each with `horizon` steps of truth after it.

        Where states are kept they are among those; there may then be fewer than `count`.
        """
        orbits, length = self.test.shape[:2]
        every = STATES_EVERY if self.states is not None else 1
        starts = (length - horizon - 1) // every + 1
        flat = torch.linspace(0, orbits * starts - 1, min(count, orbits * starts), dtype=torch.float64).long()
        return flat // starts, flat % starts * every

    def standardised(self, observations: Tensor) -> Tensor:
        """Observations `(..., D)` [the system's units] in the units of training."""
        return (observations - self.mean.to(observations)) / self.deviation.to(observations)

    def observe(self, states: Tensor) -> Tensor:
        """What is seen of the system's states, before embedding, `(..., S) -> (..., O)`."""
        seen = self.system.observe(states)
        return seen if self.observed is None else seen[..., list(self.observed)]

    @torch.no_grad()
    def twins(self, orbits: Tensor, times: Tensor, horizon: int, error: float) -> Tensor | None:
        """The true system run again from test conditions, slightly perturbed: what no forecast can beat.

        Args:
            orbits, times: `(C,)`, of conditions where a state is kept.
            horizon: [steps].
            error: standard deviation of the perturbation, in those of each component of the state.

        Returns:
            `(C, horizon, D)` in the units and precision of training; None where the states are unknown.
        """
        if self.states is None:
            return None
        states = self.states[orbits, times // STATES_EVERY]
        spread = self.states.flatten(0, 1).std(dim=0)
        draw = torch.randn(states.shape, dtype=states.dtype, generator=Generator().manual_seed(0))
        future = orbit(self.system, states + error * spread * draw, steps=horizon, every=self.stride)
        back = (self.embedding - 1) * self.lag
        past = self.history.unfold(1, back + 1, 1)[orbits, times].mT
        whole = torch.cat([past.to(future), self.observe(future)], dim=1)
        return self.standardised(embedded(whole, self.embedding, self.lag))[:, 1:].to(self.test)


def embedded(series: Tensor, embedding: int, lag: int) -> Tensor:
    """Delay coordinates, `(N, T, O) -> (N, T - (m - 1) lag, m O)`: the present first, then further and further back.

    Source:
        Takens 1981, Lecture Notes in Mathematics 898, 366.
    """
    back = (embedding - 1) * lag
    steps = series.shape[1] - back
    return torch.cat([series[:, back - i * lag : back - i * lag + steps] for i in range(embedding)], dim=-1)
