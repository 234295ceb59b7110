"""The contract of an architecture: builds K models."""

from abc import ABC
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import nn

from chaosbench.models.forecaster import Forecaster
from chaosbench.models.stack import stack
from chaosbench.seeds import seed_generator
from chaosbench.spec import Spec


class ModelSpec(Spec, ABC):
    """An architecture and its size.

    Override `build` to carry the K axis in the weights, or, simpler, `module` for one seed; `stack` does the rest.

    Attributes:
        learning: how its numbers are found; only a trainer of the same `learning` can train it.
    """

    learning: ClassVar[str] = "gradients"

    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        """K forecasters of `dimension` observables, initialised each from its own seed."""
        modules = []
        for seed in seeds:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed_generator(seed, "weights").initial_seed())
                modules.append(self.module(dimension))
        return stack(modules, dimension)

    def module(self, dimension: int) -> nn.Module:
        """One seed's plain module with `step`, `observe`, `force` on `(B, S)`, drawn from torch's own random state."""
        raise TypeError(f"{type(self).__name__} must define build or module")
