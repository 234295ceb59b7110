"""The forecast that knows where the system goes, and nothing of when."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.replay import Replay


class Climatology(ModelSpec):
    """x' = the next of the training observations in shuffled order: the invariant measure without time.

    Each seed shuffles all of them once and goes round; a forecast starts behind the point nearest to the observation.
    Its state space divergence is the noise floor, its power spectrum flat: what a model must not be content with, and
    why neither of the two is read alone. The mean, which is the climatology of least error, is a fixed point.

    Source:
        Murphy 1992, Weather and Forecasting 7, 692: climatology as a standard of reference for skill.
    """

    learning: ClassVar[str] = "memory"
    kind: Literal["climatology"] = "climatology"

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return ShuffledRecord(dimension, seeds)


class ShuffledRecord(Replay):
    """The K shuffles of `Climatology`."""

    def remember(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """All points in an order of each seed's own; after the last comes the first."""
        points = orbits.flatten(0, 1)
        count = len(points)
        orders = torch.stack([torch.randperm(count, generator=generator) for generator in generators])
        advance = torch.ones(len(generators), count)
        advance[:, -1] = 1 - count
        self.keep(points[orders.to(points.device)], advance)
