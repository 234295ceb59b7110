"""The forecast that what has followed before will follow again."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.replay import Replay, nearest


class ContextParroting(ModelSpec):
    """Find the training observation nearest to the last one, and copy what followed it; where its orbit ends, again.

    The context is the training orbits. The motif that is looked for is one observation, which is all that a forecast
    starts from; with delay coordinates, `data.embedding`, it is as many steps long as these reach back. Distances are
    joint over observables. At the end of an orbit the copy goes on behind the point nearest to that end, so that a
    free run comes back to itself in the end. Nothing is drawn: all seeds are the same.

    Source:
        Zhang and Gilpin 2025 (2505.11349); the continuation at ends of orbits is ours.
    """

    learning: ClassVar[str] = "memory"
    kind: Literal["context_parroting"] = "context_parroting"

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return Parrot(dimension, seeds)


class Parrot(Replay):
    """The K copies of `ContextParroting`."""

    def remember(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """All orbits, one behind the other; the end of each leads behind the nearest point that has a successor."""
        count, length = orbits.shape[:2]
        ends = torch.arange(1, count + 1, device=orbits.device) * length - 1
        followed = nearest(orbits[:, :-1].reshape(1, -1, orbits.shape[-1]), orbits[None, :, -1])[0]
        followed = followed + followed // (length - 1)  # the ends, which were left out, count again
        advance = torch.ones(count * length, device=orbits.device)
        advance[ends] = (followed + 1 - ends).to(advance)
        self.keep(*(part.expand(len(generators), *part.shape) for part in (orbits.flatten(0, 1), advance)))
