"""The forecast that nothing changes."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.readouts import StateSeen
from chaosbench.models.replay import Remembering


class Persistence(ModelSpec):
    """x' = x: the last observation for ever.

    The floor under every short forecast, and a fixed point: nothing is learned, all seeds are the same, and all
    Lyapunov exponents are 0.

    Source:
        Murphy 1992, Weather and Forecasting 7, 692: persistence as a standard of reference for skill.
    """

    learning: ClassVar[str] = "memory"
    kind: Literal["persistence"] = "persistence"

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return Standstill(dimension, seeds)


class Standstill(StateSeen, Remembering):
    """The K identities of `Persistence`; S = D."""

    def __init__(self, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = len(seeds), dimension, dimension

    def remember(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Nothing."""

    def step(self, state: Tensor) -> Tensor:
        """The same."""
        return state

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J = 1."""
        return state, tangents
