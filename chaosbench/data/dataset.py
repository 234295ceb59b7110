"""A data set: what a model is trained on, and the truth that its forecasts are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Self

import torch
from torch import Generator, Tensor

from chaosbench.dynamics import orbit
from chaosbench.errors import DataError
from chaosbench.source import STATES_EVERY, DataSpec, SeparationCurve, Source
from chaosbench.systems.base import SystemSpec


@dataclass(frozen=True)
class Dataset:
    """Standardised orbits for training, validation and test, from different initial conditions.

    Attributes:
        train: `(N, T, D)`, as observed, including observation noise.
        validation: `(N, T, D)`, as observed, including observation noise.
        test: `(N, T, D)`, the truth, without noise.
        seen: `(N, T, D)`, the test orbits as observed, from which forecasts start.
        history: `(N, H + T, O)`, the test orbits before delay embedding [the source's units].
        states: `(N, ceil(T / STATES_EVERY), S)` float64, the system's own states along the test orbits, every
            `STATES_EVERY` steps; None if the source cannot be stepped.
        mean: `(D,)`, subtracted from the observations [the source's units].
        deviation: `(D,)`, the observations are divided by it [the source's units].
        system: the source of the data.
        spec: how the data were made.
        largest_exponent: certified, computed, or estimated [1 / system time]; None if unknown, at most 0 if there is no
            chaos.
        separation: how neighbours separate in a recorded series, if the exponent was estimated from it.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    seen: Tensor
    history: Tensor
    states: Tensor | None
    mean: Tensor
    deviation: Tensor
    system: Source
    spec: DataSpec
    largest_exponent: float | None
    separation: SeparationCurve | None = None

    @property
    def dimension(self) -> int:
        """Number of observables D that a model sees, delay coordinates included."""
        return self.train.shape[-1]

    @property
    def dt(self) -> float:
        """Time per step of the data [system time]."""
        return self.system.dt * self.spec.stride

    @property
    def equation(self) -> SystemSpec | None:
        """The system as something that can be stepped; None if the data do not come from an equation."""
        return self.system if isinstance(self.system, SystemSpec) else None

    @property
    def predictability_time(self) -> float:
        """The time in which a small error doubles, tau_pred = ln 2 / lambda_max [steps].

        Raises:
            DataError: if the system is not chaotic.

        Source:
            Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, equation 17.
        """
        if self.largest_exponent is None or self.largest_exponent <= 0:
            why = "has no known exponent" if self.largest_exponent is None else "is not chaotic"
            raise DataError(f"{self.system.label} {why} and has no predictability time; give the interval in steps")
        return log(2) / (self.largest_exponent * self.dt)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Self:
        """Return a copy for training and evaluation on `device`.

        Mean and deviation stay in float64, and so do history and states, where they are.
        """
        moved = {name: getattr(self, name).to(device, dtype) for name in ("train", "validation", "test", "seen")}
        return replace(self, **moved, mean=self.mean.to(device), deviation=self.deviation.to(device))

    def without_test(self) -> Self:
        """Return the data without test orbits, for a choice that must not see them."""
        return replace(self, test=self.test[:0], seen=self.seen[:0], history=self.history[:0], states=None)

    def windows(self, batch: int, length: int, generators: Sequence[Generator]) -> Tensor:
        """Sample random windows of the training orbits, `(K, B, length + 1, D)`, each seed's with its own generator.

        Raises:
            DataError: if the orbits are too short.
        """
        count = self.window_count(length)
        draws = torch.stack([torch.randint(count, (batch,), generator=g) for g in generators])
        return self.windows_at(draws.to(self.train.device), length)

    def window_count(self, length: int) -> int:
        """Return the number of different windows of `length` + 1 steps in the training orbits.

        Raises:
            DataError: if the orbits are too short.
        """
        orbits, steps = self.train.shape[:2]
        if steps <= length:
            raise DataError(f"windows of {length} + 1 steps do not fit into training orbits of {steps} steps")
        return orbits * (steps - length)

    def windows_at(self, indices: Tensor, length: int) -> Tensor:
        """Return windows by their indices from 0 to `window_count(length)` - 1, `(K, B) -> (K, B, length + 1, D)`."""
        orbits, steps, seen = self.train.shape
        first = indices + indices // (steps - length) * length  # the last starts of each orbit have no window
        rows = orbits * steps - length, length + 1, seen
        return self.train.contiguous().as_strided(rows, (seen, seen, 1))[first]

    def conditions(self, count: int, horizon: int, *, context: int = 1) -> tuple[Tensor, Tensor]:
        """Return orbit index and time `(C,)` of evenly spread test conditions, each followed by `horizon` steps.

        If states are stored, all conditions lie at stored states; there may then be fewer than `count`.

        Args:
            context: observations up to each condition, itself included, that the orbits must hold [steps].

        Raises:
            DataError: if the test orbits are too short.
        """
        orbits, length = self.test.shape[:2]
        every = STATES_EVERY if self.states is not None else 1
        first = self.first_condition(context)
        starts = (length - horizon - 1 - first) // every + 1
        if starts < 1:
            raise DataError(
                f"evaluation.context = {context} leaves no room for {horizon} steps in test orbits of {length}: "
                f"conditions start at step {first}; lower evaluation.context, or raise data.test_length"
            )
        flat = torch.linspace(0, orbits * starts - 1, min(count, orbits * starts), dtype=torch.float64).long()
        return flat // starts, first + flat % starts * every

    def first_condition(self, context: int) -> int:
        """Return the first time with `context` observations up to it, at a stored state if there are any [steps]."""
        return first_condition(context, STATES_EVERY if self.states is not None else 1)

    def histories(self, orbits: Tensor, times: Tensor, context: int) -> Tensor:
        """Return the last `context` test observations up to each condition `(C,)` as seen, `(C, context, D)`."""
        histories: Tensor = self.seen.unfold(1, context, 1)[orbits, times - (context - 1)].mT
        return histories

    def standardised(self, observations: Tensor) -> Tensor:
        """Convert observations `(..., D)` [the source's units] to the units of training."""
        return (observations - self.mean.to(observations)) / self.deviation.to(observations)

    @torch.no_grad()
    def twins(self, orbits: Tensor, times: Tensor, horizon: int, error: float) -> Tensor | None:
        """Run the true system again from slightly perturbed test conditions: the best that any forecast can be.

        Args:
            orbits: `(C,)`, the orbit of each condition.
            times: `(C,)`, the time of each condition, at stored states [steps].
            horizon: length of each run [steps].
            error: standard deviation of the perturbation, in standard deviations of each component of the state.

        Returns:
            `(C, horizon, D)` in the units and precision of training; None if the system cannot be stepped.
        """
        system = self.equation
        if self.states is None or system is None:
            return None
        states = self.states[orbits, times // STATES_EVERY]
        spread = self.states.flatten(0, 1).std(dim=0)
        draw = torch.randn(states.shape, dtype=states.dtype, generator=Generator().manual_seed(0))
        future = orbit(system, states + error * spread * draw, steps=horizon, every=self.spec.stride)
        seen = system.observe(future)
        seen = seen if self.spec.observed is None else seen[..., list(self.spec.observed)]
        past = self.history.unfold(1, self.spec.history + 1, 1)[orbits, times].mT
        whole = torch.cat([past.to(future), seen], dim=1)
        return self.standardised(embedded(whole, self.spec.embedding, self.spec.lag))[:, 1:].to(self.test)


def first_condition(context: int, every: int) -> int:
    """Return the first multiple of `every` that `context - 1` steps precede [steps]."""
    return -(-(context - 1) // every) * every


def embedded(series: Tensor, embedding: int, lag: int) -> Tensor:
    """Return delay coordinates, `(N, T, O) -> (N, T - (m - 1) lag, m O)`, the present first, then the past in steps.

    Source:
        Takens 1981, Lecture Notes in Mathematics 898, 366.
    """
    back = (embedding - 1) * lag
    steps = series.shape[1] - back
    return torch.cat([series[:, back - i * lag : back - i * lag + steps] for i in range(embedding)], dim=-1)


def unembedded(coordinates: Tensor, embedding: int, lag: int) -> Tensor:
    """Return the series behind delay coordinates, `(N, T, m O) -> (N, T + (m - 1) lag, O)`, for T of at least `lag`."""
    blocks = coordinates.unflatten(-1, (embedding, -1))
    # The value j steps before the first coordinates is part i = ceil(j / lag) of those at i lag - j.
    past = [blocks[:, -j % lag, -(-j // lag)] for j in range((embedding - 1) * lag, 0, -1)]
    return torch.cat([torch.stack(past, dim=1), blocks[:, :, 0]], dim=1) if past else blocks[:, :, 0]
