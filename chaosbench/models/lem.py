"""The long expressive memory."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoop
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import carry, drawn, normal, weight_generators


class LEM(ModelSpec):
    """z' = (1 - a) z + a tanh(W_z y + V_z x + b_z), y' = (1 - e) y + e tanh(W_y z' + V_y x + b_y); x' = C y' + d.

    Each unit has steps of its own: a = dt sigmoid(W_1 y + V_1 x + b_1), e = dt sigmoid(W_2 y + V_2 x + b_2). The
    output is fed back. Published for a fast-slow dynamical system (FitzHugh-Nagumo): M = 16, dt = 1. Weights start
    uniform in +-1 / sqrt(M), C normal with variance 2 / M.

    Source:
        Rusch, Mishra, Erichson and Mahoney 2022, ICLR (2110.04744).
    """

    kind: Literal["lem"] = "lem"
    hidden: int = Field(16, ge=1)  # M, units of each scale
    dt: float = Field(1.0, gt=0)  # longest time per step, in the units' own time

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return ExpressiveMemory(self, dimension, seeds)


class ExpressiveMemory(ClosedLoop):
    """The K networks of `LEM`; the memory is (y, z)."""

    def __init__(self, spec: LEM, dimension: int, seeds: Sequence[int]) -> None:
        generators, hidden = weight_generators(seeds), spec.hidden
        super().__init__(generators, dimension, hidden=hidden, memory=2 * hidden)
        self.dt = spec.dt
        self.readout.weight = normal(generators, dimension, hidden, scale=(2 / hidden) ** 0.5)
        self.weight = drawn(generators, 3 * hidden, hidden, bound=hidden**-0.5)  # W_1, W_2, W_z
        self.upward = drawn(generators, hidden, hidden, bound=hidden**-0.5)  # W_y
        self.drive = drawn(generators, 4 * hidden, dimension, bound=hidden**-0.5)  # V_1, V_2, V_z, V_y
        self.bias = drawn(generators, 1, 4 * hidden, bound=hidden**-0.5)

    def advance(self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor) -> Tensor:
        """(y', z')."""
        y, z = memory.chunk(2, dim=-1)
        steps, inner = self._gates(y, driven)
        a, e = (self.dt * steps).chunk(2, dim=-1)
        z = torch.lerp(z, inner, a)
        return torch.cat([torch.lerp(y, self._outer(z, driven), e), z], dim=-1)

    def advance_tangents(
        self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor, tangents: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The product rule, first for z', then for y'."""
        (y, z), (dmemory, ddriven) = memory.chunk(2, dim=-1), tangents
        dy, dz = dmemory.chunk(2, dim=-2)
        steps, inner = self._gates(y, driven)
        a, e = (self.dt * steps).unsqueeze(-1).chunk(2, dim=-2)
        dsteps, dinner, dover = ddriven.split([2 * self.hidden, self.hidden, self.hidden], dim=-2)
        moved, raised = carry(self.weight, dy).split([2 * self.hidden, self.hidden], dim=-2)
        da, de = ((self.dt * steps * (1 - steps)).unsqueeze(-1) * (dsteps + moved)).chunk(2, dim=-2)
        following = self.advance(derived, memory, driven)
        outer = self._outer(following[..., self.hidden :], driven)
        dinner = (1 - inner.square()).unsqueeze(-1) * (dinner + raised)
        dz = dz + a * (dinner - dz) + (inner - z).unsqueeze(-1) * da
        douter = (1 - outer.square()).unsqueeze(-1) * (dover + carry(self.upward, dz))
        dy = dy + e * (douter - dy) + (outer - y).unsqueeze(-1) * de
        return following, torch.cat([dy, dz], dim=-2)

    def _gates(self, y: Tensor, driven: Tensor) -> tuple[Tensor, Tensor]:
        """Both steps over dt, `(K, B, 2 M)`, and the candidate of z."""
        gates = torch.baddbmm(driven[..., : 3 * self.hidden], y, self.weight.mT)
        return torch.sigmoid(gates[..., : 2 * self.hidden]), torch.tanh(gates[..., 2 * self.hidden :])

    def _outer(self, z: Tensor, driven: Tensor) -> Tensor:
        return torch.tanh(torch.baddbmm(driven[..., 3 * self.hidden :], z, self.upward.mT))
