"""The tanh network, run without input or on its own output."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoop, Form
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.readouts import LinearReadout, WithReadout
from chaosbench.models.weights import carry, drawn, weight_generators


class RNN(ModelSpec):
    """z' = tanh(W z + b), x = B z, forced by z = B⁺ x; closed loop: z' = tanh(W z + V x + b), x' = B z' + d.

    Published: M = 30, autonomous. All weights start uniform in +-1 / sqrt(M), as in torch.

    Source:
        Elman 1990, Cognitive Science 14, 179; in the autonomous form of Mikhaeil, Monfared and Durstewitz 2022,
        NeurIPS.
    """

    kind: Literal["rnn"] = "rnn"
    hidden: int = Field(30, ge=1)  # M, units
    form: Form = "autonomous"  # without input, or fed with its own output

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        network = AutonomousRNN if self.form == "autonomous" else ClosedLoopRNN
        return network(self.hidden, dimension, seeds)


class AutonomousRNN(WithReadout):
    """The K autonomous networks of `RNN`; S = M."""

    resets = True

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = len(seeds), dimension, hidden
        generators = weight_generators(seeds)
        self.weight = drawn(generators, hidden, hidden, bound=hidden**-0.5)
        self.bias = drawn(generators, 1, hidden, bound=hidden**-0.5)
        self.readout = LinearReadout(generators, dimension, hidden)

    def step(self, state: Tensor) -> Tensor:
        """tanh(W z + b)."""
        return torch.tanh(torch.baddbmm(self.bias, state, self.weight.mT))

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J = diag(1 - z'²) W."""
        following = self.step(state)
        return following, carry(self.weight, tangents) * (1 - following.square()).unsqueeze(-1)


class ClosedLoopRNN(ClosedLoop):
    """The K closed-loop networks of `RNN`; the memory is z."""

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        generators = weight_generators(seeds)
        super().__init__(generators, dimension, hidden=hidden, memory=hidden)
        self.weight = drawn(generators, hidden, hidden, bound=hidden**-0.5)
        self.drive = drawn(generators, hidden, dimension, bound=hidden**-0.5)
        self.bias = drawn(generators, 1, hidden, bound=hidden**-0.5)

    def advance(self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor) -> Tensor:
        """tanh(W z + V x + b)."""
        return torch.tanh(torch.baddbmm(driven, memory, self.weight.mT))

    def advance_tangents(
        self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor, tangents: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """J = diag(1 - z'²) (W, V)."""
        following, (dmemory, ddriven) = self.advance(derived, memory, driven), tangents
        return following, (carry(self.weight, dmemory) + ddriven) * (1 - following.square()).unsqueeze(-1)
