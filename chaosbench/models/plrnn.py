"""The piecewise-linear recurrent network (PLRNN)."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.piecewise_linear import Coefficients, PiecewiseLinearNetwork
from chaosbench.models.readouts import ReadoutKind, build_readout, too_few_units
from chaosbench.models.weights import uniform, weight_generators


class PLRNN(ModelSpec):
    """z' = A z + W relu(z) + h with A diagonal and W off-diagonal; x = B z, forced by z = B⁺ x.

    Mean-centred: relu(z - mean z). Published: M = 30.

    Source:
        Durstewitz 2017, PLoS Computational Biology 13, e1005542; mean-centred: Brenner et al. 2022, ICML (2207.02542);
        initial weights and forcing as in Mikhaeil, Monfared and Durstewitz 2022, NeurIPS.
    """

    kind: Literal["plrnn"] = "plrnn"
    hidden: int = Field(30, ge=1)  # M, units
    centred: bool = False  # relu(z - mean z) instead of relu(z)
    readout: ReadoutKind = "linear"

    @override
    def incompatibility(self, dimension: int) -> str | None:
        return too_few_units(self.hidden, dimension)

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return AutonomousPLRNN(self, dimension, seeds)


class AutonomousPLRNN(PiecewiseLinearNetwork):
    """The K networks of `PLRNN`: W1 = W, W2 = 1 (or 1 - 11ᵀ / M), h2 = 0."""

    def __init__(self, spec: PLRNN, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        hidden = spec.hidden
        self.seeds, self.dimension, self.state_size = len(seeds), dimension, hidden
        generators = weight_generators(seeds)
        self.weight = uniform(generators, hidden, hidden, bound=hidden**-0.5)  # its diagonal is A, the rest W
        self.bias = uniform(generators, 1, hidden, bound=hidden**-0.5)
        self.readout = build_readout(spec.readout, generators, dimension, hidden)
        self.resets = self.readout.resets
        self.off_diagonal: Tensor
        self.register_buffer("off_diagonal", 1 - torch.eye(hidden), persistent=False)
        self.centred = spec.centred

    @override
    def coefficients(self) -> Coefficients:
        """Split one matrix into A, its diagonal, and W, the rest."""
        diagonal = self.weight.diagonal(dim1=-2, dim2=-1).unsqueeze(-2)
        # Not a buffer: 1 / M would keep its single-precision rounding after the model is converted to double.
        centring = (1 - self.off_diagonal - 1 / self.state_size).expand_as(self.weight) if self.centred else None
        return Coefficients(diagonal, (self.weight * self.off_diagonal).mT, centring, self.bias, None)
