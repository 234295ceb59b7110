"""Training and test data: orbits of a system, standardised by what training may see."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Literal, Self

import torch
from pydantic import Field
from torch import Generator, Tensor

from chaosbench.dynamics import orbit
from chaosbench.errors import DataError
from chaosbench.models.base import seed_generator
from chaosbench.spec import Content
from chaosbench.systems.base import SystemSpec


class DataSpec(Content):
    """How many orbits, how long, and in which units; one long orbit is `train_orbits = 1`."""

    train_orbits: int = Field(32, ge=1)
    train_length: int = Field(3_000, ge=2)  # [steps] of each
    validation_orbits: int = Field(4, ge=0)
    validation_length: int = Field(1_000, ge=2)  # [steps] of each
    test_orbits: int = Field(8, ge=2)
    test_length: int = Field(10_000, ge=2)  # [steps] of each
    standardise: Literal["dimension", "global", "none"] = "dimension"  # by mean and deviation of the training orbits
    seed: int = 0  # of the initial conditions

    @property
    def label(self) -> str:
        """What differs from the defaults: `data(train_orbits=1)`."""
        fields = type(self).model_fields
        changed = [f"{n}={getattr(self, n)}" for n, f in fields.items() if getattr(self, n) != f.default]
        return f"data({', '.join(changed)})" if changed else "data"


@dataclass(frozen=True)
class Dataset:
    """Orbits on the attractor, from different initial conditions for training, validation and test.

    Attributes:
        train, validation, test: `(N, T, D)`, standardised.
        mean, deviation: `(D,)`, what was subtracted and divided by [the system's units].
        system: where they come from.
        states: `(N, S)` float64, states of the system itself on the attractor [the system's units].
        largest_exponent: certified, or computed for these parameters [1 / system time]; None where unknown.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    mean: Tensor
    deviation: Tensor
    system: SystemSpec
    states: Tensor
    largest_exponent: float | None

    @property
    def dimension(self) -> int:
        """D, the observables."""
        return self.train.shape[-1]

    @property
    def dt(self) -> float:
        """[system time] per step."""
        return self.system.dt

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
        """The same data elsewhere."""
        names = ("train", "validation", "test", "mean", "deviation")
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


def simulate(system: SystemSpec, spec: DataSpec) -> Dataset:
    """Draw initial conditions on the attractor, run the system, and standardise.

    Raises:
        DataError: where an orbit escapes or an observable is constant.
    """
    counts = (spec.train_orbits, spec.validation_orbits, spec.test_orbits)
    lengths = (spec.train_length, spec.validation_length, spec.test_length)
    states = system.initial_state(sum(counts), seed_generator(spec.seed, "initial conditions"))
    parts = _orbits(system, states.split(counts), lengths)
    train, validation, test = (system.observe(part) for part in parts)
    if not all(part.isfinite().all() for part in (train, validation, test)):
        raise DataError(f"an orbit of {system.label} escapes to infinity; check its parameters, dt and starting point")
    mean, deviation = _moments(train, spec.standardise)
    if (deviation == 0).any():
        flat = int((deviation == 0).nonzero()[0, 0])
        raise DataError(
            f"observable {flat} of {system.label} is constant on the training orbits and cannot be standardised"
        )
    train, validation, test = ((part - mean) / deviation for part in (train, validation, test))
    return Dataset(train, validation, test, mean, deviation, system, states, system.largest_exponent())


def _orbits(system: SystemSpec, starts: Sequence[Tensor], lengths: Sequence[int]) -> list[Tensor]:
    """Orbits of different lengths, stepped together for as long as they last, since small batches cost as much."""
    pieces: list[list[Tensor]] = [[] for _ in starts]
    current, done = list(starts), 0
    for length in sorted(set(lengths)):
        alive = [i for i in range(len(current)) if lengths[i] >= length]
        stretch = orbit(system, torch.cat([current[i] for i in alive]), steps=length - done)
        for i, part in zip(alive, stretch.split([len(current[i]) for i in alive]), strict=True):
            pieces[i].append(part)
            current[i] = part[:, -1]
        done = length
    return [torch.cat(part, dim=1) for part in pieces]


def _moments(train: Tensor, standardise: str) -> tuple[Tensor, Tensor]:
    dimension = train.shape[-1]
    if standardise == "none":
        return train.new_zeros(dimension), train.new_ones(dimension)
    values = train.reshape(-1, dimension)
    if standardise == "global":
        return values.mean().expand(dimension).clone(), values.std().expand(dimension).clone()
    return values.mean(dim=0), values.std(dim=0)
