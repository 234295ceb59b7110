"""The coupled oscillatory network."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoop
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import carry, drawn, weight_generators


class CoRNN(ModelSpec):
    """z' = z + dt (tanh(W y + U z + V x + b) - gamma y - epsilon z), y' = y + dt z'; x' = C y' + d is fed back.

    Driven, damped, coupled oscillators. For small dt the gradients of the recurrence are bounded, whatever the input,
    so that it cannot be chaotic by itself; only the loop through the read-out can. Published for motion sensors:
    M = 64, dt = 0.1, gamma = 0.2, epsilon = 6.4. W, U, V, b start uniform in +-1 / sqrt(D + 2 M).

    Source:
        Rusch and Mishra 2021, ICLR (2010.00951), with the explicit damping of their code.
    """

    kind: Literal["cornn"] = "cornn"
    hidden: int = Field(64, ge=1)  # M, oscillators
    dt: float = Field(0.1, gt=0)  # time per step, in the oscillators' unit
    gamma: float = Field(0.2, ge=0)  # stiffness
    epsilon: float = Field(6.4, ge=0)  # damping

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return CoupledOscillators(self, dimension, seeds)


class CoupledOscillators(ClosedLoop):
    """The K networks of `CoRNN`; the memory is (y, z)."""

    def __init__(self, spec: CoRNN, dimension: int, seeds: Sequence[int]) -> None:
        generators, hidden = weight_generators(seeds), spec.hidden
        super().__init__(generators, dimension, hidden=hidden, memory=2 * hidden)
        self.dt, self.gamma, self.epsilon = spec.dt, spec.gamma, spec.epsilon
        bound = (dimension + 2 * hidden) ** -0.5
        self.weight = drawn(generators, hidden, 2 * hidden, bound=bound)  # W, U
        self.drive = drawn(generators, hidden, dimension, bound=bound)
        self.bias = drawn(generators, 1, hidden, bound=bound)

    def advance(self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor) -> Tensor:
        """(y', z')."""
        force = torch.tanh(torch.baddbmm(driven, memory, self.weight.mT))
        return self._swung(force, memory, dim=-1)

    def advance_tangents(
        self,
        derived: tuple[Tensor, ...],
        memory: Tensor,
        driven: Tensor,
        tangents: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """The same swing of the tangents, with the derivative of tanh in place of its value."""
        force = torch.tanh(torch.baddbmm(driven, memory, self.weight.mT))
        dmemory, ddriven = tangents
        dforce = (1 - force.square()).unsqueeze(-1) * (carry(self.weight, dmemory) + ddriven)
        return self._swung(force, memory, dim=-1), self._swung(dforce, dmemory, dim=-2)

    def _swung(self, force: Tensor, memory: Tensor, *, dim: int) -> Tensor:
        y, z = memory.chunk(2, dim=dim)
        z = z + self.dt * (force - self.gamma * y - self.epsilon * z)
        return torch.cat([y + self.dt * z, z], dim=dim)
