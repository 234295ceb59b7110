"""The gated recurrent unit, run without input or on its own output."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.models.base import Forecaster, ModelSpec, drawn, weight_generators
from chaosbench.models.closed_loop import ClosedLoop, Form
from chaosbench.models.readouts import LinearReadout


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

    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        """See `ModelSpec.build`."""
        network = GatedNetwork if self.form == "autonomous" else DrivenGatedNetwork
        return network(self.hidden, dimension, seeds)


class GatedNetwork(Forecaster):
    """The K autonomous networks of `GRU`; S = M.

    There is no fused `predict` as for the LSTM: on a CPU, torch.gru over K seeds takes twice as long as this loop.
    """

    resets = True

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size, self.hidden = len(seeds), dimension, hidden, hidden
        generators = weight_generators(seeds)
        self.weight = drawn(generators, 3 * hidden, hidden, bound=hidden**-0.5)  # r, u, n
        self.bias = drawn(generators, 1, 3 * hidden, bound=hidden**-0.5)
        self.candidate_bias = drawn(generators, 1, hidden, bound=hidden**-0.5)  # a, outside the reset gate
        self.readout = LinearReadout(generators, dimension, hidden)

    def step(self, state: Tensor) -> Tensor:
        """(1 - u) n + u h."""
        gates, proposed = self._recurrent(state)
        return gated_step(gates, proposed, self.candidate_bias, state)

    def observe(self, state: Tensor) -> Tensor:
        """B h."""
        return self.readout.observe(state)

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """B⁺ x."""
        return self.readout.force(state, observation)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The product rule through gates and candidate."""
        gates, proposed = self._recurrent(state)
        moved = (self.weight[:, None] @ tangents).split([2 * self.hidden, self.hidden], dim=-2)
        return gated_tangents((gates, proposed, self.candidate_bias, state), (*moved, None, tangents))

    def _recurrent(self, state: Tensor) -> tuple[Tensor, Tensor]:
        recurrent = torch.baddbmm(self.bias, state, self.weight.mT)
        return recurrent[..., : 2 * self.hidden], recurrent[..., 2 * self.hidden :]


class DrivenGatedNetwork(ClosedLoop):
    """The K closed-loop networks of `GRU`; the memory is h."""

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        generators = weight_generators(seeds)
        super().__init__(generators, dimension, hidden=hidden, memory=hidden)
        self.weight = drawn(generators, 3 * hidden, hidden, bound=hidden**-0.5)  # r, u, n
        self.bias = drawn(generators, 1, 3 * hidden, bound=hidden**-0.5)
        self.drive = drawn(generators, 3 * hidden, dimension, bound=hidden**-0.5)
        self.candidate_bias = drawn(generators, 1, hidden, bound=hidden**-0.5)

    def advance(self, derived: tuple[Tensor, ...], memory: Tensor, shown: Tensor) -> Tensor:  # noqa: ARG002  # none
        """(1 - u) n + u h."""
        return gated_step(*self._driven(memory, shown), memory)

    def advance_tangents(
        self,
        derived: tuple[Tensor, ...],  # noqa: ARG002  # none
        memory: Tensor,
        shown: Tensor,
        tangents: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The product rule through gates and candidate."""
        split = [2 * self.hidden, self.hidden]
        held = tangents[..., : self.memory, :]
        gates, proposed = (self.weight[:, None] @ held).split(split, dim=-2)
        driven_gates, driven = (self.drive[:, None] @ tangents[..., self.memory :, :]).split(split, dim=-2)
        points = (*self._driven(memory, shown), memory)
        return gated_tangents(points, (gates + driven_gates, proposed, driven, held))

    def _driven(self, memory: Tensor, shown: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the gates, the candidate behind the reset gate, and the candidate before it see."""
        split = [2 * self.hidden, self.hidden]
        gates, proposed = torch.baddbmm(self.bias, memory, self.weight.mT).split(split, dim=-1)
        driven_gates, driven = torch.bmm(shown, self.drive.mT).split(split, dim=-1)
        return gates + driven_gates, proposed, driven + self.candidate_bias


def gated_step(gates: Tensor, proposed: Tensor, driven: Tensor, hidden: Tensor) -> Tensor:
    """(1 - u) n + u h with n = tanh(driven + r proposed).

    Args:
        gates: of r and u before the sigmoid, `(K, B, 2 M)`.
        proposed, hidden: `(K, B, M)`.
        driven: `(K, B or 1, M)`.
    """
    r, u = torch.sigmoid(gates).chunk(2, dim=-1)
    n = torch.tanh(torch.addcmul(driven, r, proposed))
    return torch.lerp(n, hidden, u)


def gated_tangents(
    points: tuple[Tensor, Tensor, Tensor, Tensor], tangents: tuple[Tensor, Tensor, Tensor | None, Tensor]
) -> tuple[Tensor, Tensor]:
    """`gated_step` at its four arguments, and its derivative along a tangent `(K, B, ., M)` of each; None for none."""
    (gates, proposed, driven, hidden), (dgates, dproposed, ddriven, dhidden) = points, tangents
    sigmoids = torch.sigmoid(gates)
    r, u = sigmoids.chunk(2, dim=-1)
    dr, du = ((sigmoids * (1 - sigmoids)).unsqueeze(-1) * dgates).chunk(2, dim=-2)
    n = torch.tanh(torch.addcmul(driven, r, proposed))
    inner = proposed.unsqueeze(-1) * dr + r.unsqueeze(-1) * dproposed
    inner = inner if ddriven is None else inner + ddriven
    dn = (1 - n.square()).unsqueeze(-1) * inner
    mixed = dn + u.unsqueeze(-1) * (dhidden - dn) + (hidden - n).unsqueeze(-1) * du
    return torch.lerp(n, hidden, u), mixed
