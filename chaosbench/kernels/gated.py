"""The coefficients of K gated networks, and their unroll in plain torch, whose numbers the kernels must reproduce."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class GatedNetwork:
    """K LSTMs or GRUs without input, observed as x = C h + d.

    LSTM, state (h, c): c' = f c + i g, h' = o tanh(c') with gates i, f, o = sigmoid(W h + a), g = tanh(W h + a).
    GRU, state h: h' = (1 - u) n + u h with gates r, u = sigmoid(W h + a), n = tanh(P h + a + r (W h + b)).

    Attributes:
        weight: W, `(K, G M, M)`; gates i, f, g, o, or r, u, n.
        bias: a, `(K, G M)`.
        candidate_bias: b of the GRU, `(K, M)`.
        feedback: P of the GRU, `(K, M, M)`, its own output as input; None for zero.
        readout: C, `(K, D, M)`.
        offset: d, `(K, D)`; None for zero.
    """

    kind: Literal["lstm", "gru"]
    weight: Tensor
    bias: Tensor
    candidate_bias: Tensor | None
    feedback: Tensor | None
    readout: Tensor
    offset: Tensor | None

    @property
    def coefficients(self) -> tuple[Tensor | None, ...]:
        """The tensors that have gradients, in the order of `with_coefficients`."""
        return (self.weight, self.bias, self.candidate_bias, self.feedback, self.readout, self.offset)

    @property
    def dimension(self) -> int:
        """D."""
        return self.readout.shape[1]

    def with_coefficients(self, tensors: Sequence[Tensor | None]) -> "GatedNetwork":
        """Return the same architecture with other coefficients."""
        weight, bias, candidate_bias, feedback, readout, offset = tensors
        assert weight is not None
        assert bias is not None
        assert readout is not None
        return GatedNetwork(self.kind, weight, bias, candidate_bias, feedback, readout, offset)


@dataclass(frozen=True)
class GatedMap:
    """The step of K LSTMs or GRUs, without input or with their own output as input, for tangents.

    State: (h, c) or h, and behind them the output x where it is the input of the next step: x' = C h' + d.
    LSTM: c' = f c + i g, h' = o tanh(c') with gates i, f, o = sigmoid(W h + V x + a), g = tanh(W h + V x + a).
    GRU: h' = (1 - u) n + u h with gates r, u = sigmoid(W h + V x + a), n = tanh(V x + a + r (W h + b)).

    Attributes:
        weight: W, `(K, G M, M)`; gates i, f, g, o, or r, u, n.
        bias: a, `(K, G M)`.
        candidate_bias: b of the GRU, `(K, M)`.
        drive: V, `(K, G M, D)`; None without input, as the following.
        readout: C, `(K, D, M)`.
        offset: d, `(K, D)`.
    """

    kind: Literal["lstm", "gru"]
    weight: Tensor
    bias: Tensor
    candidate_bias: Tensor | None = None
    drive: Tensor | None = None
    readout: Tensor | None = None
    offset: Tensor | None = None


def unroll(network: GatedNetwork, start: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Return what is observed after steps 1..T, `(K, B, T, D)`, and the last state, as `reference.unroll` does."""
    state, units, observed = start, network.weight.shape[-1], []
    for _ in range(steps):
        state = _lstm_step(network, state) if network.kind == "lstm" else _gru_step(network, state)
        seen = torch.bmm(state[..., :units], network.readout.mT)
        observed.append(seen if network.offset is None else seen + network.offset[:, None])
    return torch.stack(observed, dim=2), state


def _lstm_step(network: GatedNetwork, state: Tensor) -> Tensor:
    h, c = state.chunk(2, dim=-1)
    i, f, g, o = torch.baddbmm(network.bias[:, None], h, network.weight.mT).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.cat([torch.sigmoid(o) * torch.tanh(c), c], dim=-1)


def _gru_step(network: GatedNetwork, h: Tensor) -> Tensor:
    assert network.candidate_bias is not None
    r, u, n = torch.bmm(h, network.weight.mT).chunk(3, dim=-1)
    of_r, of_u, of_n = network.bias[:, None].chunk(3, dim=-1)
    r, u = torch.sigmoid(r + of_r), torch.sigmoid(u + of_u)
    candidate = of_n + r * (n + network.candidate_bias[:, None])
    if network.feedback is not None:
        candidate = candidate + torch.bmm(h, network.feedback.mT)
    return torch.lerp(torch.tanh(candidate), h, u)
