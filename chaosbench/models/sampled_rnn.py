"""A recurrent network whose hidden weights are sampled from pairs of data points."""

from collections.abc import Sequence
from math import log
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.readouts import FullyObservedForecaster
from chaosbench.models.regression import RegressionForecaster
from chaosbench.models.weights import multiply_tangents, parameter_without_gradient, weight_generators

_HALF = log(3) / 2  # tanh(ln(3) / 2) = 1 / 2
_CANDIDATES = 10  # candidate pairs of points per hidden unit


class SampledRNN(ModelSpec):
    """x' = C tanh(W x + b) + d; W and b are sampled from pairs of training points, C and d are learned.

    A pair (p, q) gives a unit that is -1/2 at p and 1/2 at q: w = 2 s (q - p) / |q - p|², b = -w p - s, s = ln(3) / 2.
    Pairs are drawn with probability proportional to |q' - p'| / |q - p|, where p' and q' are the successors of p and q,
    so there are more units where the map is steep. The state is x itself.

    Source:
        Bolager, Cukarska, Burak, Monfared and Dietrich 2024 (2410.23467), without inputs and with the observation as
        the state; the sampling: Bolager, Burak, Datar, Sun and Dietrich 2023, NeurIPS (2306.16830).
    """

    learning: ClassVar[str] = "regression"
    kind: Literal["sampled_rnn"] = "sampled_rnn"
    hidden: int = Field(300, ge=1)  # units

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return AutonomousSampledRNN(self.hidden, dimension, seeds)


class AutonomousSampledRNN(FullyObservedForecaster, RegressionForecaster):
    """The K networks of `SampledRNN`; S = D. Before training, the pairs are normal random points."""

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size, self.feature_count = len(seeds), dimension, dimension, hidden
        points = [torch.randn(2, hidden, dimension, generator=generator) for generator in weight_generators(seeds)]
        weights, biases = unit_between(*torch.stack(points, dim=1))
        self.inward, self.bias = parameter_without_gradient(weights), parameter_without_gradient(biases)
        self.outward = parameter_without_gradient(torch.zeros(len(seeds), dimension, hidden))
        self.offset = parameter_without_gradient(torch.zeros(len(seeds), 1, dimension))

    @override
    def step(self, state: Tensor) -> Tensor:
        """C tanh(W x + b) + d."""
        return torch.baddbmm(self.offset, self._features(state), self.outward.mT)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J = C diag(1 - tanh²) W."""
        features = self._features(state)
        inner = (1 - features.square()).unsqueeze(-1) * (multiply_tangents(self.inward, tangents))
        return torch.baddbmm(self.offset, features, self.outward.mT), multiply_tangents(self.outward, inner)

    @override
    def respond(self, state: Tensor, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Return the observation and its features tanh(W x + b)."""
        return observation, self._features(observation)

    @override
    def set_readout(self, weight: Tensor, offset: Tensor) -> None:
        self.outward.copy_(weight)
        self.offset.copy_(offset)

    @override
    def sample_features(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Draw pairs of training points and set W and b."""
        before, after = orbits[:, :-1].flatten(0, 1), orbits[:, 1:].flatten(0, 1)
        pairs = torch.stack([steep_pairs(before, after, self.feature_count, draw) for draw in generators], dim=1)
        weights, biases = unit_between(*before[pairs])
        self.inward.copy_(weights)
        self.bias.copy_(biases)

    def _features(self, state: Tensor) -> Tensor:
        return torch.tanh(torch.baddbmm(self.bias, state, self.inward.mT))


def steep_pairs(before: Tensor, after: Tensor, count: int, generator: Generator) -> Tensor:
    """Draw pairs of points with probability proportional to the slope of the map between them.

    Args:
        before: points, `(N, D)`.
        after: their successors, `(N, D)`.
        count: number of pairs.

    Returns:
        Indices of both points of each pair, `(2, count)`.
    """
    pairs = torch.randint(len(before), (2, _CANDIDATES * count), generator=generator)
    distance, next_distance = ((points[pairs[1]] - points[pairs[0]]).norm(dim=-1).cpu() for points in (before, after))
    steepness = torch.where(distance > 0, next_distance / distance, 0.0)
    return pairs[:, torch.multinomial(steepness, count, generator=generator)].to(before.device)


def unit_between(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return w and b such that tanh(w x + b) is -1/2 at the first point and 1/2 at the second.

    Args:
        first, second: one pair per unit, `(K, units, D)`.

    Returns:
        w, `(K, units, D)`, and b, `(K, 1, units)`.
    """
    difference = second - first
    weight = 2 * _HALF * difference / difference.square().sum(dim=-1, keepdim=True)
    return weight, (-(weight * first).sum(dim=-1) - _HALF).unsqueeze(-2)
