"""The tanh network, run without input."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.models.base import Forecaster, ModelSpec, drawn, seed_generator
from chaosbench.models.readouts import LinearReadout


class RNN(ModelSpec):
    """z' = tanh(W z + b), x = B z, forced by z = B⁺ x.

    Source:
        Elman 1990, Cognitive Science 14, 179; in the autonomous form of Mikhaeil, Monfared and Durstewitz 2022,
        NeurIPS.
    """

    kind: Literal["rnn"] = "rnn"
    hidden: int = Field(30, ge=1)  # M, units

    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        """See `ModelSpec.build`."""
        return TanhNetwork(self.hidden, dimension, seeds)


class TanhNetwork(Forecaster):
    """The K networks of `RNN`; S = M."""

    resets = True

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = len(seeds), dimension, hidden
        generators = [seed_generator(seed, "weights") for seed in seeds]
        self.weight = drawn(generators, hidden, hidden, bound=hidden**-0.5)
        self.bias = drawn(generators, 1, hidden, bound=hidden**-0.5)
        self.readout = LinearReadout(generators, dimension, hidden)

    def step(self, state: Tensor) -> Tensor:
        """tanh(W z + b)."""
        return torch.tanh(torch.baddbmm(self.bias, state, self.weight.mT))

    def observe(self, state: Tensor) -> Tensor:
        """B z."""
        return self.readout.observe(state)

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """B⁺ x."""
        return self.readout.force(state, observation)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J = diag(1 - z'²) W."""
        following = self.step(state)
        return following, (1 - following.square()).unsqueeze(-1) * (self.weight[:, None] @ tangents)
