"""The liquid time-constant network."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoop
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import carry, drawn, weight_generators, zeros


class LiquidTimeConstant(ModelSpec):
    """dh/dt = -(1 / tau + f) h + f A with f = sigmoid(W h + V x + b); x' = C h' + d is fed back.

    Stepped by the fused method h' = (h + k f A) / (1 + k (1 / tau + f)), several times per step: a mean of h, A and 0,
    so that h stays between 0 and A. Published: M = 32, six such steps. This is the form of the paper's equations; the
    authors' code gives every synapse a sigmoid of its own. W, V, b start uniform in +-1 / sqrt(M), A at -1 or 1, tau
    at 1.

    Source:
        Hasani, Lechner, Amini, Rus and Grosu 2021, AAAI (2006.04439). Unverified: written from the
        formula as others quote it.
    """

    kind: Literal["liquid_time_constant"] = "liquid_time_constant"
    hidden: int = Field(32, ge=1)  # M, units
    dt: float = Field(1.0, gt=0)  # time per step, in the unit of tau
    unfolds: int = Field(6, ge=1)  # fused steps per step

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return LiquidNetwork(self, dimension, seeds)


class LiquidNetwork(ClosedLoop):
    """The K networks of `LiquidTimeConstant`; the memory is h."""

    def __init__(self, spec: LiquidTimeConstant, dimension: int, seeds: Sequence[int]) -> None:
        generators, hidden = weight_generators(seeds), spec.hidden
        super().__init__(generators, dimension, hidden=hidden, memory=hidden)
        self.fused_step, self.unfolds = spec.dt / spec.unfolds, spec.unfolds
        self.weight = drawn(generators, hidden, hidden, bound=hidden**-0.5)
        self.drive = drawn(generators, hidden, dimension, bound=hidden**-0.5)
        self.bias = drawn(generators, 1, hidden, bound=hidden**-0.5)
        self.target = nn.Parameter(drawn(generators, 1, hidden, bound=1.0).detach().sign())  # A
        self.log_rate = zeros(generators, 1, hidden)  # -ln tau, so that tau stays positive

    def derived(self) -> tuple[Tensor, ...]:
        """1 + k / tau, and k A."""
        return 1 + self.fused_step * torch.exp(self.log_rate), self.fused_step * self.target

    def advance(self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor) -> Tensor:
        """The fused steps."""
        for _ in range(self.unfolds):
            memory, _ = self._fused(derived, memory, driven)
        return memory

    def advance_tangents(
        self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor, tangents: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The quotient rule, step by fused step."""
        (rest, pull), (dmemory, ddriven) = derived, tangents
        for _ in range(self.unfolds):
            memory, f = self._fused(derived, memory, driven)
            df = (f * (1 - f)).unsqueeze(-1) * (ddriven + carry(self.weight, dmemory))
            numerator = dmemory + (pull - self.fused_step * memory).unsqueeze(-1) * df
            dmemory = numerator / torch.add(rest, f, alpha=self.fused_step).unsqueeze(-1)
        return memory, dmemory

    def _fused(self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor) -> tuple[Tensor, Tensor]:
        """The next h, and f."""
        rest, pull = derived
        f = torch.sigmoid(torch.baddbmm(driven, memory, self.weight.mT))
        return torch.addcmul(memory, f, pull) / torch.add(rest, f, alpha=self.fused_step), f
