"""The tanh network, autonomous or in closed loop."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.kernels import Network
from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoopNetwork, Form
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.readouts import LinearReadout, ReadoutForecaster
from chaosbench.models.weights import multiply_tangents, uniform, weight_generators


class RNN(ModelSpec):
    """z' = tanh(W z + b), x = B z, forced by z = B⁺ x; closed loop: z' = tanh(W z + V x + b), x' = B z' + d.

    Published: M = 30, autonomous. All weights start uniform in +-1 / sqrt(M), as in torch.
    torch's cell adds two biases of which only the sum matters. Here it is one: under Adam it moves half as far per
    update as their sum, and it starts with half the variance.

    Source:
        Elman 1990, Cognitive Science 14, 179; autonomous form: Mikhaeil, Monfared and Durstewitz 2022, NeurIPS.
    """

    kind: Literal["rnn"] = "rnn"
    hidden: int = Field(30, ge=1)  # M, units
    form: Form = "autonomous"  # without input, or with its own output as input

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        network = AutonomousRNN if self.form == "autonomous" else ClosedLoopRNN
        return network(self.hidden, dimension, seeds)


class AutonomousRNN(ReadoutForecaster):
    """The K autonomous networks of `RNN`; S = M."""

    resets = True

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = len(seeds), dimension, hidden
        generators = weight_generators(seeds)
        self.weight = uniform(generators, hidden, hidden, bound=hidden**-0.5)
        self.bias = uniform(generators, 1, hidden, bound=hidden**-0.5)
        self.readout = LinearReadout(generators, dimension, hidden)

    @override
    def step(self, state: Tensor) -> Tensor:
        """tanh(W z + b)."""
        return torch.tanh(torch.baddbmm(self.bias, state, self.weight.mT))

    @override
    def network(self) -> Network:
        """A = 0, W1 = 1, W2 = W, h2 = b."""
        readout, offset = self.readout.affine_map()
        return Network(
            "tanh", None, None, self.weight, None, self.bias.squeeze(1), readout, offset, dimension=self.dimension
        )

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J = diag(1 - z'²) W."""
        following = self.step(state)
        return following, multiply_tangents(self.weight, tangents) * (1 - following.square()).unsqueeze(-1)


class ClosedLoopRNN(ClosedLoopNetwork):
    """The K closed-loop networks of `RNN`; the hidden state is z."""

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        generators = weight_generators(seeds)
        super().__init__(generators, dimension, hidden=hidden, hidden_state_size=hidden)
        self.weight = uniform(generators, hidden, hidden, bound=hidden**-0.5)
        self.drive = uniform(generators, hidden, dimension, bound=hidden**-0.5)
        self.bias = uniform(generators, 1, hidden, bound=hidden**-0.5)

    @override
    def advance(self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor) -> Tensor:
        """tanh(W z + V x + b)."""
        return torch.tanh(torch.baddbmm(input_term, hidden_state, self.weight.mT))

    @override
    def advance_tangents(
        self,
        derived: tuple[Tensor, ...],
        hidden_state: Tensor,
        input_term: Tensor,
        tangents: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """J = diag(1 - z'²) (W, V)."""
        following, (dhidden_state, dinput_term) = self.advance(derived, hidden_state, input_term), tangents
        dsum = multiply_tangents(self.weight, dhidden_state) + dinput_term
        return following, dsum * (1 - following.square()).unsqueeze(-1)
