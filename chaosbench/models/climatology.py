"""Climatology: the training observations in random order."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.replay import ReplayForecaster


class Climatology(ModelSpec):
    """x' = the next training observation in a shuffled order: the invariant measure without its dynamics.

    Each seed shuffles all training observations once and cycles through them. A forecast starts after the training
    point nearest to the last observation. The state space divergence is at its noise floor although the power spectrum
    is flat, so neither of the two scores should be read alone. Forecasting the mean, the climatology with the smallest
    error, would be a fixed point.

    Source:
        Murphy 1992, Weather and Forecasting 7, 692: climatology as a standard of reference for skill.
    """

    learning: ClassVar[str] = "memory"
    kind: Literal["climatology"] = "climatology"

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return ClimatologyForecaster(dimension, seeds)


class ClimatologyForecaster(ReplayForecaster):
    """The K shuffled records of `Climatology`."""

    @override
    def memorise(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Store all points, in an order drawn by each seed's generator; the first follows the last."""
        points = orbits.flatten(0, 1)
        count = len(points)
        orders = torch.stack([torch.randperm(count, generator=generator) for generator in generators])
        advance = torch.ones(len(generators), count)
        advance[:, -1] = 1 - count
        self.set_record(points[orders.to(points.device)], advance)
