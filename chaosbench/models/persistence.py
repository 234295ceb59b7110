"""Persistence: nothing changes."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.readouts import FullyObservedForecaster
from chaosbench.models.replay import MemorisingForecaster


class Persistence(ModelSpec):
    """x' = x: repeat the last observation forever.

    Every short forecast should beat it. It is a fixed point with all Lyapunov exponents at 0. Nothing is learned: all
    seeds are the same.

    Source:
        Murphy 1992, Weather and Forecasting 7, 692: persistence as a standard of reference for skill.
    """

    learning: ClassVar[str] = "memory"
    kind: Literal["persistence"] = "persistence"

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return PersistenceForecaster(dimension, seeds)


class PersistenceForecaster(FullyObservedForecaster, MemorisingForecaster):
    """The K identity maps of `Persistence`; S = D."""

    def __init__(self, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = len(seeds), dimension, dimension

    @override
    def memorise(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Store nothing."""

    @override
    def step(self, state: Tensor) -> Tensor:
        """Return the state unchanged."""
        return state

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J = 1."""
        return state, tangents
