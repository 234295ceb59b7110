"""The liquid time-constant network."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoopNetwork
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import multiply_tangents, uniform, weight_generators, zeros


class LiquidTimeConstant(ModelSpec):
    """dh/dt = -(1 / tau + f) h + f A with f = sigmoid(W h + V x + b); the output x' = C h' + d is the next input.

    Each step consists of several fused steps h' = (h + k f A) / (1 + k (1 / tau + f)) with k = dt / unfolds. A fused
    step is a weighted mean of h, A and 0, so h stays between 0 and A. Published: M = 32, six fused steps. These are the
    equations of the paper; the authors' code has one sigmoid per synapse. W, V, b start uniform in +-1 / sqrt(M), A at
    -1 or 1, tau at 1.

    Source:
        Hasani, Lechner, Amini, Rus and Grosu 2021, AAAI (2006.04439). Unverified: the formula was taken from later
        papers that quote it.
    """

    kind: Literal["liquid_time_constant"] = "liquid_time_constant"
    hidden: int = Field(32, ge=1)  # M, units
    dt: float = Field(1.0, gt=0)  # time per step, in the unit of tau
    unfolds: int = Field(6, ge=1)  # fused steps per step

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return ClosedLoopLiquidTimeConstant(self, dimension, seeds)


class ClosedLoopLiquidTimeConstant(ClosedLoopNetwork):
    """The K networks of `LiquidTimeConstant`; the hidden state is h."""

    def __init__(self, spec: LiquidTimeConstant, dimension: int, seeds: Sequence[int]) -> None:
        generators, hidden = weight_generators(seeds), spec.hidden
        super().__init__(generators, dimension, hidden=hidden, hidden_state_size=hidden)
        self.fused_step, self.unfolds = spec.dt / spec.unfolds, spec.unfolds
        self.weight = uniform(generators, hidden, hidden, bound=hidden**-0.5)
        self.drive = uniform(generators, hidden, dimension, bound=hidden**-0.5)
        self.bias = uniform(generators, 1, hidden, bound=hidden**-0.5)
        self.target = nn.Parameter(uniform(generators, 1, hidden, bound=1.0).detach().sign())  # A
        self.log_rate = zeros(generators, 1, hidden)  # -ln tau, so that tau stays positive

    @override
    def derived_parameters(self) -> tuple[Tensor, ...]:
        """1 + k / tau and k A, each `(K, 1, M)`."""
        return 1 + self.fused_step * torch.exp(self.log_rate), self.fused_step * self.target

    @override
    def advance(self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor) -> Tensor:
        """Take all fused steps."""
        for _ in range(self.unfolds):
            hidden_state, _ = self._fused(derived, hidden_state, input_term)
        return hidden_state

    @override
    def advance_tangents(
        self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor, tangents: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Apply the quotient rule to each fused step."""
        (decay, pull), (dhidden_state, dinput_term) = derived, tangents
        for _ in range(self.unfolds):
            hidden_state, f = self._fused(derived, hidden_state, input_term)
            df = (f * (1 - f)).unsqueeze(-1) * (dinput_term + multiply_tangents(self.weight, dhidden_state))
            numerator = dhidden_state + (pull - self.fused_step * hidden_state).unsqueeze(-1) * df
            dhidden_state = numerator / torch.add(decay, f, alpha=self.fused_step).unsqueeze(-1)
        return hidden_state, dhidden_state

    def _fused(self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor) -> tuple[Tensor, Tensor]:
        """Take one fused step; return the next h and f."""
        decay, pull = derived
        f = torch.sigmoid(torch.baddbmm(input_term, hidden_state, self.weight.mT))
        return torch.addcmul(hidden_state, f, pull) / torch.add(decay, f, alpha=self.fused_step), f
