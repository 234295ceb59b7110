"""The gated recurrent unit, run without input or on its own output."""

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


class GRU(ModelSpec):
    """h' = (1 - u) n + u h with gates r, u of h and n = tanh(a + r (W h + b)); x = B h, forced by h = B⁺ x.

    Closed loop: gates and candidate n see V x, too, and x' = B h' + d. Published for chaotic data: M = 30. All weights
    start uniform in +-1 / sqrt(M), as in torch, whose placing of the reset gate is used.

    Source:
        Cho et al. 2014, EMNLP (1406.1078); in the autonomous form of Mikhaeil, Monfared and Durstewitz 2022, NeurIPS,
        whose theorems cover it.
    """

    kind: Literal["gru"] = "gru"
    hidden: int = Field(30, ge=1)  # M, units
    form: Form = "autonomous"  # without input, or fed with its own output

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        network = AutonomousGRU if self.form == "autonomous" else ClosedLoopGRU
        return network(self.hidden, dimension, seeds)


class AutonomousGRU(WithReadout):
    """The K autonomous networks of `GRU`; S = M.

    There is no fused `predict` as for the LSTM: on a CPU, torch.gru over K seeds takes twice as long as this loop.
    """

    resets = True

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size, self.hidden = len(seeds), dimension, hidden, hidden
        generators = weight_generators(seeds)
        self.weight = drawn(generators, 3 * hidden, hidden, bound=hidden**-0.5)  # r, u, n
        self.bias = drawn(generators, 1, 3 * hidden, bound=hidden**-0.5)  # of the gates, and a
        self.candidate_bias = drawn(generators, 1, hidden, bound=hidden**-0.5)  # b, behind the reset gate
        self.readout = LinearReadout(generators, dimension, hidden)

    def step(self, state: Tensor) -> Tensor:
        """(1 - u) n + u h."""
        return gated_step(torch.bmm(state, self.weight.mT), self.bias, self.candidate_bias, state)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The product rule through gates and candidate."""
        points = (torch.bmm(state, self.weight.mT), self.bias, self.candidate_bias, state)
        return gated_tangents(points, (carry(self.weight, tangents), None, tangents))


class ClosedLoopGRU(ClosedLoop):
    """The K closed-loop networks of `GRU`; the memory is h."""

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        generators = weight_generators(seeds)
        super().__init__(generators, dimension, hidden=hidden, memory=hidden)
        self.weight = drawn(generators, 3 * hidden, hidden, bound=hidden**-0.5)  # r, u, n
        self.drive = drawn(generators, 3 * hidden, dimension, bound=hidden**-0.5)
        self.bias = drawn(generators, 1, 3 * hidden, bound=hidden**-0.5)
        self.candidate_bias = drawn(generators, 1, hidden, bound=hidden**-0.5)

    def advance(self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor) -> Tensor:
        """(1 - u) n + u h."""
        return gated_step(torch.bmm(memory, self.weight.mT), driven, self.candidate_bias, memory)

    def advance_tangents(
        self,
        derived: tuple[Tensor, ...],
        memory: Tensor,
        driven: Tensor,
        tangents: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """The product rule through gates and candidate."""
        points = (torch.bmm(memory, self.weight.mT), driven, self.candidate_bias, memory)
        dmemory, ddriven = tangents
        return gated_tangents(points, (carry(self.weight, dmemory), ddriven, dmemory))


def gated_step(recurrent: Tensor, driven: Tensor, candidate_bias: Tensor, hidden: Tensor) -> Tensor:
    """(1 - u) n + u h, with r, u, n = sigmoid, sigmoid, tanh of driven + recurrent, of which n's waits behind r.

    Args:
        recurrent: W h, `(K, B, 3 M)`.
        driven: `(K, B or 1, 3 M)`.
        candidate_bias, hidden: `(K, 1, M)`, `(K, B, M)`.
    """
    u, n, _ = _gates(recurrent, driven, candidate_bias)
    return torch.lerp(n, hidden, u)


def gated_tangents(
    points: tuple[Tensor, Tensor, Tensor, Tensor], tangents: tuple[Tensor, Tensor | None, Tensor]
) -> tuple[Tensor, Tensor]:
    """`gated_step` at its four arguments, and its derivative along tangents `(K, B, ., M)` of W h, of driven, of h."""
    (recurrent, driven, candidate_bias, hidden), (drecurrent, ddriven, dhidden) = points, tangents
    u, n, (r, proposed) = _gates(recurrent, driven, candidate_bias)
    (dr, du, dproposed), dn = drecurrent.chunk(3, dim=-2), torch.zeros_like(dhidden)
    if ddriven is not None:
        more_r, more_u, dn = ddriven.chunk(3, dim=-2)
        dr, du = dr + more_r, du + more_u
    dn = dn + (proposed * r * (1 - r)).unsqueeze(-1) * dr + r.unsqueeze(-1) * dproposed
    dn = (1 - n.square()).unsqueeze(-1) * dn
    du = ((hidden - n) * u * (1 - u)).unsqueeze(-1) * du
    return torch.lerp(n, hidden, u), dn + u.unsqueeze(-1) * (dhidden - dn) + du


def _gates(recurrent: Tensor, driven: Tensor, candidate_bias: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """u, n, and of n the reset gate and what waits behind it."""
    size = candidate_bias.shape[-1]
    r, u = torch.sigmoid(recurrent[..., : 2 * size] + driven[..., : 2 * size]).chunk(2, dim=-1)
    proposed = recurrent[..., 2 * size :] + candidate_bias
    return u, torch.tanh(torch.addcmul(driven[..., 2 * size :], r, proposed)), (r, proposed)
