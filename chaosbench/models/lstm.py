"""The long short-term memory, autonomous or in closed loop."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench import kernels
from chaosbench.dynamics import iterates
from chaosbench.kernels import GatedMap, GatedNetwork
from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoopNetwork, Form
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.inheritance import still_holds
from chaosbench.models.readouts import LinearReadout
from chaosbench.models.weights import multiply_tangents, uniform, weight_generators


class LSTM(ModelSpec):
    """c' = f c + i g, h' = o tanh(c') with gates i, f, g, o of h; x = B h, forced by h = B⁺ x and c = 0.

    Closed loop: gates of (h, x), and x' = B h' + d. Published: M = 30, autonomous. All weights start uniform in
    +-1 / sqrt(M), as in torch.
    torch's cell adds two biases of which only the sum matters. Here it is one: under Adam it moves half as far per
    update as their sum, and it starts with half the variance.

    Source:
        Hochreiter and Schmidhuber 1997, Neural Computation 9, 1735, with the forget gate of Gers et al. 2000;
        autonomous form: Mikhaeil, Monfared and Durstewitz 2022, NeurIPS. As there, a forced h may lie outside (-1, 1).
    """

    kind: Literal["lstm"] = "lstm"
    hidden: int = Field(30, ge=1)  # M, units
    form: Form = "autonomous"  # without input, or with its own output as input

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        network = AutonomousLSTM if self.form == "autonomous" else ClosedLoopLSTM
        return network(self.hidden, dimension, seeds)


class AutonomousLSTM(Forecaster):
    """The K autonomous networks of `LSTM`; the state is (h, c), S = 2 M."""

    resets = True

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size, self.hidden = len(seeds), dimension, 2 * hidden, hidden
        generators = weight_generators(seeds)
        self.weight = uniform(generators, 4 * hidden, hidden, bound=hidden**-0.5)  # gates i, f, g, o
        self.bias = uniform(generators, 1, 4 * hidden, bound=hidden**-0.5)
        self.readout = LinearReadout(generators, dimension, hidden)

    @override
    def step(self, state: Tensor) -> Tensor:
        """(h', c')."""
        h, c = state.split(self.hidden, dim=-1)
        return lstm_step(torch.baddbmm(self.bias, h, self.weight.mT), c)

    @override
    def observe(self, state: Tensor) -> Tensor:
        """B h."""
        return self.readout.observe(state[..., : self.hidden])

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """(B⁺ x, 0)."""
        h = self.readout.force(state, observation)
        return torch.cat([h, torch.zeros_like(h)], dim=-1)

    @override
    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Call fused kernels, which are several times faster than a loop over steps."""
        if not still_holds(type(self), "predict"):
            return super().predict(state, steps)
        return predict_lstm((self.weight, self.bias), self.readout, state, steps)

    @override
    def gated_network(self) -> GatedNetwork | None:
        if not still_holds(type(self), "gated_network") or not still_holds(type(self.readout), "affine_map"):
            return None
        return GatedNetwork("lstm", self.weight, self.bias.squeeze(1), None, None, *self.readout.affine_map())

    @override
    def tangent_network(self) -> GatedMap | None:
        """The weights of the gates; None if a subclass has another step."""
        return GatedMap("lstm", self.weight, self.bias[:, 0]) if self.tangents_hold() else None

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the product rule to gates, cell and output."""
        h, c = state.split(self.hidden, dim=-1)
        gates = torch.baddbmm(self.bias, h, self.weight.mT)
        dgates = multiply_tangents(self.weight, tangents[..., : self.hidden, :])
        return lstm_tangents(gates, c, dgates, tangents[..., self.hidden :, :])


class ClosedLoopLSTM(ClosedLoopNetwork):
    """The K closed-loop networks of `LSTM`; the hidden state is (h, c)."""

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        generators = weight_generators(seeds)
        super().__init__(generators, dimension, hidden=hidden, hidden_state_size=2 * hidden)
        self.weight = uniform(generators, 4 * hidden, hidden, bound=hidden**-0.5)  # gates i, f, g, o
        self.drive = uniform(generators, 4 * hidden, dimension, bound=hidden**-0.5)
        self.bias = uniform(generators, 1, 4 * hidden, bound=hidden**-0.5)

    @override
    def advance(self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor) -> Tensor:
        """(h', c')."""
        h, c = hidden_state.chunk(2, dim=-1)
        return lstm_step(torch.baddbmm(input_term, h, self.weight.mT), c)

    @override
    def advance_tangents(
        self,
        derived: tuple[Tensor, ...],
        hidden_state: Tensor,
        input_term: Tensor,
        tangents: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Apply the product rule to gates, cell and output."""
        (h, c), (dhidden_state, dinput_term) = hidden_state.chunk(2, dim=-1), tangents
        dh, dc = dhidden_state.chunk(2, dim=-2)
        gates = torch.baddbmm(input_term, h, self.weight.mT)
        return lstm_tangents(gates, c, multiply_tangents(self.weight, dh) + dinput_term, dc)

    @override
    def tangent_network(self) -> GatedMap | None:
        """The whole step, output included; None if a subclass has another one."""
        if not self.tangents_hold() or not still_holds(type(self.readout), "affine_map"):
            return None
        return GatedMap("lstm", self.weight, self.bias[:, 0], None, self.drive, *self.readout.affine_map())

    @override
    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Take one step, then call fused kernels: from there on the input is C h + d, so W + V C absorbs V."""
        if not still_holds(type(self), "predict"):
            return super().predict(state, steps)
        hidden_state, output = self.split_state(self.step(state))
        observed = output.unsqueeze(-2)
        if steps > 1:
            weight = torch.baddbmm(self.weight, self.drive, self.readout.weight)
            bias = torch.baddbmm(self.bias, self.readout.bias, self.drive.mT)
            following, hidden_state = predict_lstm((weight, bias), self.readout, hidden_state, steps - 1)
            observed = torch.cat([observed, following], dim=-2)
        return observed, torch.cat([hidden_state, observed[..., -1, :]], dim=-1)


def lstm_step(gates: Tensor, cell: Tensor) -> Tensor:
    """Return (h', c') from c and the gates i, f, g, o before activation, `(K, B, 4 M), (K, B, M) -> (K, B, 2 M)`."""
    i, f, g, o = gates.chunk(4, dim=-1)
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return torch.cat([torch.sigmoid(o) * torch.tanh(cell), cell], dim=-1)


def lstm_tangents(gates: Tensor, cell: Tensor, dgates: Tensor, dcell: Tensor) -> tuple[Tensor, Tensor]:
    """Return `lstm_step` and its derivative along tangents of the gates, `(K, B, 4 M, .)`, and of c, `(K, B, M, .)`."""
    i, f, g, o = gates.chunk(4, dim=-1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    di, df, dg, do = dgates.chunk(4, dim=-2)
    following = f * cell + i * g
    squashed = torch.tanh(following)
    dcell = f.unsqueeze(-1) * dcell
    for slope, tangent in ((cell * f * (1 - f), df), (g * i * (1 - i), di), (i * (1 - g.square()), dg)):
        dcell = torch.addcmul(dcell, slope.unsqueeze(-1), tangent)  # one pass over tangents, which dominate the cost
    dhidden = (o * (1 - squashed.square())).unsqueeze(-1) * dcell
    dhidden = torch.addcmul(dhidden, (squashed * o * (1 - o)).unsqueeze(-1), do)
    return torch.cat([o * squashed, following], dim=-1), torch.cat([dhidden, dcell], dim=-2)


def predict_lstm(
    weights: tuple[Tensor, Tensor], readout: LinearReadout, state: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Run K LSTMs without input and read them out, by one compiled kernel for all seeds where there is one.

    Args:
        weights, state: as for `lstm_unroll`.

    Returns:
        The observables after 1 to `steps` steps, `(K, B, steps, D)`, and the last (h, c), `(K, B, 2 M)`.
    """
    weight, bias = weights
    backend = kernels.gated_backend_for(state, steps)
    if backend is not None and still_holds(type(readout), "affine_map"):
        network = GatedNetwork("lstm", weight, bias[:, 0], None, None, *readout.affine_map())
        if kernels.holds(backend, network):
            return kernels.unroll(backend, network, state, steps)
    h, last = lstm_unroll(weight, bias, state, steps)
    return readout.observe(h), last


def lstm_unroll(weight: Tensor, bias: Tensor, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Run K LSTMs without input.

    On a CPU torch's fused LSTM runs seed by seed. On a GPU a loop over steps serves all seeds at once: cuDNN would run
    once per seed, so that the time would grow with K.

    Args:
        weight, bias: `(K, 4 M, M)`, `(K, 1, 4 M)`.
        state: (h, c), `(K, B, 2 M)`.

    Returns:
        h after 1 to `steps` steps, `(K, B, steps, M)`, and the last (h, c), `(K, B, 2 M)`.
    """
    return stepped_lstm(weight, bias, state, steps) if state.is_cuda else fused_lstm(weight, bias, state, steps)


def stepped_lstm(weight: Tensor, bias: Tensor, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Compute `lstm_unroll` step by step, for all seeds at once."""
    hidden, transposed = state.shape[-1] // 2, weight.mT

    def step(state: Tensor) -> Tensor:
        h, c = state.split(hidden, dim=-1)
        return lstm_step(torch.baddbmm(bias, h, transposed), c)

    states = iterates(step, state, steps=steps)
    return states[..., :hidden], states[..., -1, :]


def fused_lstm(weight: Tensor, bias: Tensor, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Compute `lstm_unroll` by torch's fused LSTM, seed by seed."""
    gates = weight.shape[1]
    starts = zip(*(part.contiguous().split(1) for part in state.chunk(2, dim=-1)), strict=True)
    zero_input = state.new_zeros(state.shape[1], steps, 1)
    no_input_weight, no_bias = state.new_zeros(gates, 1), state.new_zeros(gates)
    outputs, last_states = [], []
    # `unbind` and `split` instead of indexing by seed, whose gradients would be K tensors of mostly zeros
    for seed_weight, seed_bias, start in zip(weight.unbind(), bias.squeeze(1).unbind(), starts, strict=True):
        weights = [no_input_weight, seed_weight, seed_bias, no_bias]
        output, h, c = torch.lstm(zero_input, start, weights, True, 1, 0.0, torch.is_grad_enabled(), False, True)
        outputs.append(output)
        last_states.append(torch.cat([h[0], c[0]], dim=-1))
    return torch.stack(outputs), torch.stack(last_states)
