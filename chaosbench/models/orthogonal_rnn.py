"""The recurrent network with orthogonal recurrent weights."""

from collections.abc import Sequence
from math import pi
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoopNetwork
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import multiply_tangents, uniform, weight_generators


class OrthogonalRNN(ModelSpec):
    """h' = modrelu(W h + V x), modrelu(p) = sign(p) relu(|p| + b), W orthogonal; x' = C h' + d is the next input.

    W = (1 + A)^-1 (1 - A) D with A skew-symmetric and trained, D a fixed diagonal of signs. The derivative of modrelu
    is 0 or 1, so no tangent grows in the recurrence for any input: it cannot be chaotic by itself; only the loop
    through the read-out can. The paper tunes the number of negative signs between M / 10 and M / 2 and has at least 170
    units. A starts as rotations by angles uniform in (0, pi / 2), V as in Glorot and Bengio 2010, b uniform in +-0.01.

    Source:
        Helfrich, Willmott and Ye 2018, ICML (1707.09520): the scaled Cayley transform.
    """

    kind: Literal["orthogonal_rnn"] = "orthogonal_rnn"
    hidden: int = Field(30, ge=1)  # M, units
    negative: int = Field(15, ge=0)  # negative signs in D

    @model_validator(mode="after")
    def _check_negative(self) -> Self:
        if self.negative > self.hidden:
            raise ValueError(f"negative = {self.negative} exceeds hidden = {self.hidden}; it counts signs of units")
        return self

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return ClosedLoopOrthogonalRNN(self, dimension, seeds)


class ClosedLoopOrthogonalRNN(ClosedLoopNetwork):
    """The K networks of `OrthogonalRNN`; the hidden state is h."""

    def __init__(self, spec: OrthogonalRNN, dimension: int, seeds: Sequence[int]) -> None:
        generators, hidden = weight_generators(seeds), spec.hidden
        super().__init__(generators, dimension, hidden=hidden, hidden_state_size=hidden)
        angles = uniform(generators, hidden // 2, bound=pi / 4, centre=pi / 4).detach()
        triangle = torch.zeros(len(seeds), hidden, hidden)
        triangle[:, 0 : hidden - 1 : 2, 1::2] = torch.diag_embed(torch.tan(angles / 2))
        self.triangle = nn.Parameter(triangle)  # A = triangle - triangleᵀ
        self.drive = uniform(generators, hidden, dimension, bound=(6 / (hidden + dimension)) ** 0.5)
        self.shift = uniform(generators, 1, hidden, bound=0.01)  # b, of modrelu
        self.bias: Tensor
        self.register_buffer("bias", torch.zeros(len(seeds), 1, hidden), persistent=False)  # V x has no bias
        self.signs: Tensor
        self.register_buffer("signs", torch.ones(hidden), persistent=False)
        self.signs[: spec.negative] = -1

    @override
    def derived_parameters(self) -> tuple[Tensor, ...]:
        """W, `(K, M, M)`."""
        skew = self.triangle - self.triangle.mT
        identity = torch.eye(self.hidden, dtype=skew.dtype, device=skew.device)
        return (torch.linalg.solve(identity + skew, identity - skew) * self.signs,)

    @override
    def advance(self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor) -> Tensor:
        """modrelu(W h + V x)."""
        pre = torch.baddbmm(input_term, hidden_state, derived[0].mT)
        return pre.sign() * torch.relu(pre.abs() + self.shift)

    @override
    def advance_tangents(
        self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor, tangents: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """J = diag(0 or 1) (W, V)."""
        (weight,), (dhidden_state, dinput_term) = derived, tangents
        active = torch.baddbmm(input_term, hidden_state, weight.mT).abs() + self.shift > 0
        return self.advance(derived, hidden_state, input_term), active.unsqueeze(-1) * (
            multiply_tangents(weight, dhidden_state) + dinput_term
        )
