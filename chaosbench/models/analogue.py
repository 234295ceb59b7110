"""The method of analogues: find the most similar training observation and copy its future."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.replay import ReplayForecaster, nearest


class Analogue(ModelSpec):
    """Find the training observation nearest to the last observation, and copy what followed it.

    A single observation is compared; with delay coordinates (`data.embedding`) it spans as many steps as they do.
    Distances are joint over observables. At the end of a training orbit, copying goes on after the point nearest to
    that end, so a long free run finally repeats itself. Nothing is random: all seeds are the same. `context_parroting`
    searches the history of the forecast instead, and needs no training data.

    Source:
        Lorenz 1969, Journal of the Atmospheric Sciences 26, 636. The continuation at the ends of orbits is ours.
    """

    learning: ClassVar[str] = "memory"
    kind: Literal["analogue"] = "analogue"

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return AnalogueForecaster(dimension, seeds)


class AnalogueForecaster(ReplayForecaster):
    """The K identical replays of `Analogue`."""

    @override
    def memorise(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Store all orbits one after another; link each end to the successor of the nearest other point."""
        count, length = orbits.shape[:2]
        ends = torch.arange(1, count + 1, device=orbits.device) * length - 1
        neighbour = nearest(orbits[:, :-1].reshape(1, -1, orbits.shape[-1]), orbits[None, :, -1])[0]
        neighbour = neighbour + neighbour // (length - 1)  # index into the full record; the search left out all ends
        advance = torch.ones(count * length, device=orbits.device)
        advance[ends] = (neighbour + 1 - ends).to(advance)
        self.set_record(*(part.expand(len(generators), *part.shape) for part in (orbits.flatten(0, 1), advance)))
