"""The shallow piecewise-linear recurrent network."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import nn
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.piecewise_linear import Coefficients, PiecewiseLinearNetwork, stable_diagonal
from chaosbench.models.readouts import ReadoutKind, build_readout, too_few_units
from chaosbench.models.weights import uniform, weight_generators, zeros


class ShallowPLRNN(ModelSpec):
    """z' = A z + W1 relu(W2 z + h2) + h1, one hidden layer of L units and M states; x = z if M = D.

    Source:
        Hess, Monfared, Brenner and Durstewitz 2023, ICML (2306.04406), equation 5; clipped: its equation 6.
    """

    kind: Literal["shallow_plrnn"] = "shallow_plrnn"
    states: int | None = Field(None, ge=1)  # M; None: as many as observables
    hidden: int = Field(50, ge=1)  # L, units
    clipped: bool = False  # phi = relu(W2 z + h2) - relu(W2 z): bounded orbits where |A| < 1
    readout: ReadoutKind = "identity"

    @override
    def incompatibility(self, dimension: int) -> str | None:
        return too_few_units(self.states or dimension, dimension)

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return AutonomousShallowPLRNN(self, dimension, seeds)


class AutonomousShallowPLRNN(PiecewiseLinearNetwork):
    """The K networks of `ShallowPLRNN`."""

    def __init__(self, spec: ShallowPLRNN, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        states, hidden = spec.states or dimension, spec.hidden
        self.seeds, self.dimension, self.state_size, self.clipped = len(seeds), dimension, states, spec.clipped
        generators = weight_generators(seeds)
        self.diagonal = nn.Parameter(torch.stack([stable_diagonal(states, generator) for generator in generators]))
        self.outward = uniform(generators, hidden, states, bound=hidden**-0.5)
        self.inward = uniform(generators, states, hidden, bound=states**-0.5)
        self.bias = zeros(generators, 1, states)
        clipped = spec.clipped
        self.threshold = uniform(generators, 1, hidden, bound=hidden**-0.5) if clipped else zeros(generators, 1, hidden)
        self.readout = build_readout(spec.readout, generators, dimension, states)
        self.resets = self.readout.resets

    @override
    def coefficients(self) -> Coefficients:
        """Return the parameters themselves."""
        return Coefficients(self.diagonal, self.outward, self.inward, self.bias, self.threshold)
