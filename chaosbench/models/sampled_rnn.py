"""A network whose hidden weights are sampled from pairs of data points."""

from collections.abc import Sequence
from math import log
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.readouts import StateSeen
from chaosbench.models.regression import Regressed
from chaosbench.models.weights import carry, fitted, weight_generators

_HALF = log(3) / 2  # where tanh is 1 / 2
_CANDIDATES = 10  # pairs of points per hidden unit to choose from


class SampledRNN(ModelSpec):
    """x' = C tanh(W x + b) + d; W and b are sampled from pairs of training points, C and d are learned.

    A pair (p, q) makes a unit that is -1/2 at p and 1/2 at q: w = 2 s (q - p) / |q - p|², b = -w p - s, s = ln(3) / 2.
    Pairs are drawn in proportion to |q' - p'| / |q - p|, p' and q' being what follows: more units where the map is
    steep. The state is x itself.

    Source:
        Bolager, Cukarska, Burak, Monfared and Dietrich 2024 (2410.23467), without inputs and with the observation as
        the state; the sampling: Bolager, Burak, Datar, Sun and Dietrich 2023, NeurIPS (2306.16830).
    """

    learning: ClassVar[str] = "regression"
    kind: Literal["sampled_rnn"] = "sampled_rnn"
    hidden: int = Field(300, ge=1)  # units

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return SampledNetwork(self.hidden, dimension, seeds)


class SampledNetwork(StateSeen, Regressed):
    """The K networks of `SampledRNN`; S = D. Before it has seen data, its pairs are of normal points."""

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size, self.regressors = len(seeds), dimension, dimension, hidden
        points = [torch.randn(2, hidden, dimension, generator=generator) for generator in weight_generators(seeds)]
        weights, biases = unit_between(*torch.stack(points, dim=1))
        self.inward, self.bias = fitted(weights), fitted(biases)
        self.outward = fitted(torch.zeros(len(seeds), dimension, hidden))
        self.offset = fitted(torch.zeros(len(seeds), 1, dimension))

    def step(self, state: Tensor) -> Tensor:
        """C tanh(W x + b) + d."""
        return torch.baddbmm(self.offset, self._features(state), self.outward.mT)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J = C diag(1 - tanh²) W."""
        features = self._features(state)
        inner = (1 - features.square()).unsqueeze(-1) * (carry(self.inward, tangents))
        return torch.baddbmm(self.offset, features, self.outward.mT), carry(self.outward, inner)

    def respond(self, state: Tensor, observation: Tensor) -> tuple[Tensor, Tensor]:
        """The observation, and its features."""
        return observation, self._features(observation)

    @override
    def read(self, weight: Tensor, offset: Tensor) -> None:
        self.outward.copy_(weight)
        self.offset.copy_(offset)

    def sample(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Units between pairs of training points."""
        before, after = orbits[:, :-1].flatten(0, 1), orbits[:, 1:].flatten(0, 1)
        chosen = torch.stack([steep_pairs(before, after, self.regressors, one) for one in generators], dim=1)
        weights, biases = unit_between(*before[chosen])
        self.inward.copy_(weights)
        self.bias.copy_(biases)

    def _features(self, state: Tensor) -> Tensor:
        return torch.tanh(torch.baddbmm(self.bias, state, self.inward.mT))


def steep_pairs(before: Tensor, after: Tensor, count: int, generator: Generator) -> Tensor:
    """Indices of both points of each pair, `(2, count)`, from points and what follows them, `(N, D), (N, D)`."""
    pairs = torch.randint(len(before), (2, _CANDIDATES * count), generator=generator)
    apart, grown = ((points[pairs[1]] - points[pairs[0]]).norm(dim=-1).cpu() for points in (before, after))
    steepness = torch.where(apart > 0, grown / apart, 0.0)
    return pairs[:, torch.multinomial(steepness, count, generator=generator)].to(before.device)


def unit_between(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """w and b of tanh(w x + b), -1/2 at the first point and 1/2 at the second, `(K, H, D) -> (K, H, D), (K, 1, H)`."""
    difference = second - first
    weight = 2 * _HALF * difference / difference.square().sum(dim=-1, keepdim=True)
    return weight, (-(weight * first).sum(dim=-1) - _HALF).unsqueeze(-2)
