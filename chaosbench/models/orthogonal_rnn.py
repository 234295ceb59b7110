"""The network with orthogonal recurrent weights."""

from collections.abc import Sequence
from math import pi
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoop
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import carry, drawn, weight_generators


class OrthogonalRNN(ModelSpec):
    """h' = modrelu(W h + V x), modrelu(p) = sign(p) relu(|p| + b), W orthogonal; x' = C h' + d is fed back.

    W = (1 + A)^-1 (1 - A) D, A skew and trained, D diagonal of signs and fixed. The derivative of modrelu is 0 or 1, so
    that no tangent grows in the recurrence, whatever the input: it cannot be chaotic by itself; only the loop through
    the read-out can. The paper tunes how many signs are negative between M / 10 and M / 2; its networks have 170
    units and more. A starts as rotations by angles uniform in (0, pi / 2), V as of Glorot and Bengio 2010,
    b uniform in +-0.01.

    Source:
        Helfrich, Willmott and Ye 2018, ICML (1707.09520): the scaled Cayley transform.
    """

    kind: Literal["orthogonal_rnn"] = "orthogonal_rnn"
    hidden: int = Field(30, ge=1)  # M, units
    negative: int = Field(15, ge=0)  # how many signs of D are

    @model_validator(mode="after")
    def _check_negative(self) -> Self:
        if self.negative > self.hidden:
            raise ValueError(f"{self.negative} signs cannot be negative of {self.hidden}; give at most all")
        return self

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return OrthogonalNetwork(self, dimension, seeds)


class OrthogonalNetwork(ClosedLoop):
    """The K networks of `OrthogonalRNN`; the memory is h."""

    def __init__(self, spec: OrthogonalRNN, dimension: int, seeds: Sequence[int]) -> None:
        generators, hidden = weight_generators(seeds), spec.hidden
        super().__init__(generators, dimension, hidden=hidden, memory=hidden)
        angles = drawn(generators, hidden // 2, bound=pi / 4, centre=pi / 4).detach()
        triangle = torch.zeros(len(seeds), hidden, hidden)
        triangle[:, 0 : hidden - 1 : 2, 1::2] = torch.diag_embed(torch.tan(angles / 2))
        self.triangle = nn.Parameter(triangle)  # A = triangle - triangleᵀ
        self.drive = drawn(generators, hidden, dimension, bound=(6 / (hidden + dimension)) ** 0.5)
        self.shift = drawn(generators, 1, hidden, bound=0.01)  # b, of modrelu
        self.bias: Tensor
        self.register_buffer("bias", torch.zeros(len(seeds), 1, hidden), persistent=False)  # V x has none
        self.signs: Tensor
        self.register_buffer("signs", torch.ones(hidden), persistent=False)
        self.signs[: spec.negative] = -1

    def derived(self) -> tuple[Tensor, ...]:
        """W, `(K, M, M)`."""
        skew = self.triangle - self.triangle.mT
        one = torch.eye(self.hidden, dtype=skew.dtype, device=skew.device)
        return (torch.linalg.solve(one + skew, one - skew) * self.signs,)

    def advance(self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor) -> Tensor:
        """modrelu(W h + V x)."""
        pre = torch.baddbmm(driven, memory, derived[0].mT)
        return pre.sign() * torch.relu(pre.abs() + self.shift)

    def advance_tangents(
        self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor, tangents: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """J = diag(0 or 1) (W, V)."""
        (weight,), (dmemory, ddriven) = derived, tangents
        active = torch.baddbmm(driven, memory, weight.mT).abs() + self.shift > 0
        return self.advance(derived, memory, driven), active.unsqueeze(-1) * (carry(weight, dmemory) + ddriven)
