"""The piecewise-linear network."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.models.base import Forecaster, ModelSpec, drawn, seed_generator
from chaosbench.models.piecewise_linear import Coefficients, PiecewiseLinear
from chaosbench.models.readouts import ReadoutKind, readout


class PLRNN(ModelSpec):
    """z' = A z + W relu(z) + h with A diagonal and W off-diagonal; x = B z, forced by z = B⁺ x.

    Source:
        Durstewitz 2017, PLoS Computational Biology 13, e1005542; initialised and forced as in Mikhaeil, Monfared and
        Durstewitz 2022, NeurIPS.
    """

    kind: Literal["plrnn"] = "plrnn"
    hidden: int = Field(30, ge=1)  # M, units
    readout: ReadoutKind = "linear"

    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        """See `ModelSpec.build`."""
        return PiecewiseLinearNetwork(self, dimension, seeds)


class PiecewiseLinearNetwork(PiecewiseLinear):
    """The K networks of `PLRNN`: W1 = W, W2 = 1, h2 = 0."""

    def __init__(self, spec: PLRNN, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        hidden = spec.hidden
        self.seeds, self.dimension, self.state_size = len(seeds), dimension, hidden
        generators = [seed_generator(seed, "weights") for seed in seeds]
        self.weight = drawn(generators, hidden, hidden, bound=hidden**-0.5)  # its diagonal is A, the rest W
        self.bias = drawn(generators, 1, hidden, bound=hidden**-0.5)
        self.readout = readout(spec.readout, generators, dimension, hidden)
        self.resets = self.readout.resets
        self.off_diagonal: Tensor
        self.register_buffer("off_diagonal", 1 - torch.eye(hidden), persistent=False)

    def coefficients(self) -> Coefficients:
        """A and W from one matrix."""
        diagonal = self.weight.diagonal(dim1=-2, dim2=-1).unsqueeze(-2)
        return Coefficients(diagonal, (self.weight * self.off_diagonal).mT, None, self.bias, None)
