"""The coupled oscillatory recurrent network (coRNN)."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoopNetwork
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import multiply_tangents, uniform, weight_generators


class CoRNN(ModelSpec):
    """z' = z + dt (tanh(W y + U z + V x + b) - gamma y - epsilon z), y' = y + dt z'; x' = C y' + d is the next input.

    Driven, damped and coupled oscillators. For small dt the gradients of the recurrence are bounded over a sequence; at
    fixed dt, the bound excludes no chaos over ever longer ones. Published for motion sensors: M = 64,
    dt = 0.1, gamma = 0.2, epsilon = 6.4. W, U, V, b start uniform in +-1 / sqrt(D + 2 M).

    Source:
        Rusch and Mishra 2021, ICLR (2010.00951), with explicit damping as in the authors' code.
    """

    kind: Literal["cornn"] = "cornn"
    hidden: int = Field(64, ge=1)  # M, oscillators
    dt: float = Field(0.1, gt=0)  # time per step [the oscillators' own time]
    gamma: float = Field(0.2, ge=0)  # stiffness
    epsilon: float = Field(6.4, ge=0)  # damping

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return ClosedLoopCoRNN(self, dimension, seeds)


class ClosedLoopCoRNN(ClosedLoopNetwork):
    """The K networks of `CoRNN`; the hidden state is (y, z)."""

    def __init__(self, spec: CoRNN, dimension: int, seeds: Sequence[int]) -> None:
        generators, hidden = weight_generators(seeds), spec.hidden
        super().__init__(generators, dimension, hidden=hidden, hidden_state_size=2 * hidden)
        self.dt, self.gamma, self.epsilon = spec.dt, spec.gamma, spec.epsilon
        bound = (dimension + 2 * hidden) ** -0.5
        self.weight = uniform(generators, hidden, 2 * hidden, bound=bound)  # W, U
        self.drive = uniform(generators, hidden, dimension, bound=bound)
        self.bias = uniform(generators, 1, hidden, bound=bound)

    @override
    def advance(self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor) -> Tensor:
        """(y', z')."""
        force = torch.tanh(torch.baddbmm(input_term, hidden_state, self.weight.mT))
        return self._oscillate(force, hidden_state, dim=-1)

    @override
    def advance_tangents(
        self,
        derived: tuple[Tensor, ...],
        hidden_state: Tensor,
        input_term: Tensor,
        tangents: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Take the same oscillator step for the tangents, with the derivative of tanh as force."""
        force = torch.tanh(torch.baddbmm(input_term, hidden_state, self.weight.mT))
        dhidden_state, dinput_term = tangents
        dforce = (1 - force.square()).unsqueeze(-1) * (multiply_tangents(self.weight, dhidden_state) + dinput_term)
        return self._oscillate(force, hidden_state, dim=-1), self._oscillate(dforce, dhidden_state, dim=-2)

    def _oscillate(self, force: Tensor, hidden_state: Tensor, *, dim: int) -> Tensor:
        y, z = hidden_state.chunk(2, dim=dim)
        z = z + self.dt * (force - self.gamma * y - self.epsilon * z)
        return torch.cat([y + self.dt * z, z], dim=dim)
