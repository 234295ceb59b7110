"""The dendritic piecewise-linear recurrent network."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.piecewise_linear import Coefficients, PiecewiseLinearNetwork, stable_matrix
from chaosbench.models.readouts import ReadoutKind, build_readout, too_few_units
from chaosbench.models.weights import uniform, weight_generators


class DendriticPLRNN(ModelSpec):
    """z' = A z + W sum_b alpha_b relu(z - H_b) + h with A diagonal and W off-diagonal; x = the first D units of z.

    Clipped: each basis is relu(z - H_b) - relu(z), and orbits are bounded if |A| < 1. Published for Lorenz-63: M = 22,
    B = 20, clipped, identity read-out with learned initial state, forced every 25 steps. A and W start as K / rho(K) of
    Talathi and Vartak 2015, alpha uniform in +-1 / sqrt(B), H uniform over the range of the data.

    Source:
        Brenner, Hess, Mikhaeil, Bereska, Monfared, Kuo and Durstewitz 2022, ICML (2207.02542).
    """

    kind: Literal["dendritic_plrnn"] = "dendritic_plrnn"
    hidden: int = Field(22, ge=1)  # M, units
    bases: int = Field(20, ge=1)  # B, relus per unit
    clipped: bool = True  # each basis minus relu(z): bounded orbits where |A| < 1
    threshold_range: float = Field(3.0, gt=0)  # H starts uniform in +- this range [standard deviations of the data]
    readout: ReadoutKind = "identity"

    @override
    def incompatibility(self, dimension: int) -> str | None:
        return too_few_units(self.hidden, dimension)

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return AutonomousDendriticPLRNN(self, dimension, seeds)


class AutonomousDendriticPLRNN(PiecewiseLinearNetwork):
    """The K networks of `DendriticPLRNN`: W1 = W, W2 = 1, h2 = -H, phi a mixture of bases."""

    def __init__(self, spec: DendriticPLRNN, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        hidden, bases = spec.hidden, spec.bases
        self.seeds, self.dimension, self.state_size, self.clipped = len(seeds), dimension, hidden, spec.clipped
        generators = weight_generators(seeds)
        self.weight = nn.Parameter(torch.stack([stable_matrix(hidden, generator) for generator in generators]))
        self.bias = uniform(generators, 1, hidden, bound=hidden**-0.5)
        self.thresholds = uniform(generators, 1, hidden, bases, bound=spec.threshold_range)
        self.mixture = uniform(generators, bases, 1, bound=bases**-0.5)
        self.readout = build_readout(spec.readout, generators, dimension, hidden)
        self.resets = self.readout.resets
        self.off_diagonal: Tensor
        self.register_buffer("off_diagonal", 1 - torch.eye(hidden), persistent=False)

    @override
    def coefficients(self) -> Coefficients:
        """Split one matrix into A, its diagonal, and W, the rest."""
        diagonal = self.weight.diagonal(dim1=-2, dim2=-1).unsqueeze(-2)
        outward = (self.weight * self.off_diagonal).mT
        return Coefficients(diagonal, outward, None, self.bias, -self.thresholds, mixture=self.mixture)
