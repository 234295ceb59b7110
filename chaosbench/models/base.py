"""The contract of an architecture: a spec that builds K models."""

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

    Define `module`, which returns a plain `nn.Module` of one seed, or, for speed, `build`, which returns a
    `Forecaster` that carries all K seeds in its weights.

    Attributes:
        learning: how the model learns; only trainers with the same `learning` can train it. chaosbench's trainers use
            "gradients", "regression" (for a `RegressionForecaster`) and "memory" (for a `MemorisingForecaster`).
    """

    learning: ClassVar[str] = "gradients"

    def incompatibility(self, dimension: int) -> str | None:
        """Return why the model cannot work on data of `dimension` observables; None if it can."""
        return None

    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        """Return K forecasters of `dimension` observables, each initialised from its own seed."""
        modules = []
        for seed in seeds:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed_generator(seed, "weights").initial_seed())
                modules.append(self.module(dimension))
        return stack(modules, dimension, seeds)

    def module(self, dimension: int) -> nn.Module:
        """Return a plain module of one seed, with random weights from torch's global generator.

        The module needs `step`, `observe` and `force` on `(B, S)` tensors; see `chaosbench.models.stack`.
        """
        raise TypeError(f"{type(self).__name__} must define build or module")
