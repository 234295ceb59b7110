"""The long expressive memory (LEM)."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoopNetwork
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import multiply_tangents, normal, uniform, weight_generators


class LEM(ModelSpec):
    """z' = (1 - a) z + a tanh(W_z y + V_z x + b_z), y' = (1 - e) y + e tanh(W_y z' + V_y x + b_y); x' = C y' + d.

    Each unit has its own time steps: a = dt sigmoid(W_1 y + V_1 x + b_1), e = dt sigmoid(W_2 y + V_2 x + b_2). The
    output is the next input. Published for a fast-slow dynamical system (FitzHugh-Nagumo): M = 16, dt = 1. Weights
    start uniform in +-1 / sqrt(M), C normal with variance 2 / M.

    Source:
        Rusch, Mishra, Erichson and Mahoney 2022, ICLR (2110.04744).
    """

    kind: Literal["lem"] = "lem"
    hidden: int = Field(16, ge=1)  # M, units of y, and of z
    dt: float = Field(1.0, gt=0)  # largest time step of a unit [the units' own time]

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return ClosedLoopLEM(self, dimension, seeds)


class ClosedLoopLEM(ClosedLoopNetwork):
    """The K networks of `LEM`; the hidden state is (y, z)."""

    def __init__(self, spec: LEM, dimension: int, seeds: Sequence[int]) -> None:
        generators, hidden = weight_generators(seeds), spec.hidden
        super().__init__(generators, dimension, hidden=hidden, hidden_state_size=2 * hidden)
        self.dt = spec.dt
        self.readout.weight = normal(generators, dimension, hidden, scale=(2 / hidden) ** 0.5)
        self.weight = uniform(generators, 3 * hidden, hidden, bound=hidden**-0.5)  # W_1, W_2, W_z
        self.upward = uniform(generators, hidden, hidden, bound=hidden**-0.5)  # W_y
        self.drive = uniform(generators, 4 * hidden, dimension, bound=hidden**-0.5)  # V_1, V_2, V_z, V_y
        self.bias = uniform(generators, 1, 4 * hidden, bound=hidden**-0.5)

    @override
    def advance(self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor) -> Tensor:
        """(y', z')."""
        y, z = hidden_state.chunk(2, dim=-1)
        gates, inner = self._gates(y, input_term)
        a, e = (self.dt * gates).chunk(2, dim=-1)
        z = torch.lerp(z, inner, a)
        return torch.cat([torch.lerp(y, self._outer(z, input_term), e), z], dim=-1)

    @override
    def advance_tangents(
        self,
        derived: tuple[Tensor, ...],
        hidden_state: Tensor,
        input_term: Tensor,
        tangents: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Apply the product rule to z', then to y'."""
        (y, z), (dhidden_state, dinput_term) = hidden_state.chunk(2, dim=-1), tangents
        dy, dz = dhidden_state.chunk(2, dim=-2)
        gates, inner = self._gates(y, input_term)
        a, e = (self.dt * gates).unsqueeze(-1).chunk(2, dim=-2)
        dgates_input, dinner, douter = dinput_term.split([2 * self.hidden, self.hidden, self.hidden], dim=-2)
        dgates_y, dinner_y = multiply_tangents(self.weight, dy).split([2 * self.hidden, self.hidden], dim=-2)
        da, de = ((self.dt * gates * (1 - gates)).unsqueeze(-1) * (dgates_input + dgates_y)).chunk(2, dim=-2)
        following = self.advance(derived, hidden_state, input_term)
        outer = self._outer(following[..., self.hidden :], input_term)
        dinner = (1 - inner.square()).unsqueeze(-1) * (dinner + dinner_y)
        dz = dz + a * (dinner - dz) + (inner - z).unsqueeze(-1) * da
        douter = (1 - outer.square()).unsqueeze(-1) * (douter + multiply_tangents(self.upward, dz))
        dy = dy + e * (douter - dy) + (outer - y).unsqueeze(-1) * de
        return following, torch.cat([dy, dz], dim=-2)

    def _gates(self, y: Tensor, input_term: Tensor) -> tuple[Tensor, Tensor]:
        """Return (a, e) / dt, `(K, B, 2 M)`, and the candidate of z, `(K, B, M)`."""
        gates = torch.baddbmm(input_term[..., : 3 * self.hidden], y, self.weight.mT)
        return torch.sigmoid(gates[..., : 2 * self.hidden]), torch.tanh(gates[..., 2 * self.hidden :])

    def _outer(self, z: Tensor, input_term: Tensor) -> Tensor:
        """Return the candidate of y, `(K, B, M)`."""
        return torch.tanh(torch.baddbmm(input_term[..., 3 * self.hidden :], z, self.upward.mT))
