"""The long short-term memory, run without input or on its own output."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoop, Form
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.readouts import LinearReadout
from chaosbench.models.weights import carry, drawn, weight_generators


class LSTM(ModelSpec):
    """c' = f c + i g, h' = o tanh(c') with gates of h; x = B h, forced by h = B⁺ x and c = 0.

    Closed loop: gates of (h, x), and x' = B h' + d. Published: M = 30, autonomous. All weights start uniform in
    +-1 / sqrt(M), as in torch.

    Source:
        Hochreiter and Schmidhuber 1997, Neural Computation 9, 1735, with the forget gate of Gers et al. 2000; in the
        autonomous form of Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, where a forced h may leave (-1, 1), too.
    """

    kind: Literal["lstm"] = "lstm"
    hidden: int = Field(30, ge=1)  # M, units
    form: Form = "autonomous"  # without input, or fed with its own output

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
        self.weight = drawn(generators, 4 * hidden, hidden, bound=hidden**-0.5)  # gates i, f, g, o
        self.bias = drawn(generators, 1, 4 * hidden, bound=hidden**-0.5)
        self.readout = LinearReadout(generators, dimension, hidden)

    def step(self, state: Tensor) -> Tensor:
        """One step of (h, c)."""
        hidden, cell = state.split(self.hidden, dim=-1)
        return memory_step(torch.baddbmm(self.bias, hidden, self.weight.mT), cell)

    def observe(self, state: Tensor) -> Tensor:
        """B h."""
        return self.readout.observe(state[..., : self.hidden])

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """(B⁺ x, 0)."""
        hidden = self.readout.force(state, observation)
        return torch.cat([hidden, torch.zeros_like(hidden)], dim=-1)

    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """One fused call per seed in place of a loop over steps: the same numbers, several times faster."""
        hidden, last = fused_memory(self.weight, self.bias, state, steps)
        return self.readout.observe(hidden), last

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The product rule through gates, cell and output."""
        hidden, cell = state.split(self.hidden, dim=-1)
        gates = torch.baddbmm(self.bias, hidden, self.weight.mT)
        moved = carry(self.weight, tangents[..., : self.hidden, :])
        return memory_tangents(gates, cell, moved, tangents[..., self.hidden :, :])


class ClosedLoopLSTM(ClosedLoop):
    """The K closed-loop networks of `LSTM`; the memory is (h, c)."""

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        generators = weight_generators(seeds)
        super().__init__(generators, dimension, hidden=hidden, memory=2 * hidden)
        self.weight = drawn(generators, 4 * hidden, hidden, bound=hidden**-0.5)  # gates i, f, g, o
        self.drive = drawn(generators, 4 * hidden, dimension, bound=hidden**-0.5)
        self.bias = drawn(generators, 1, 4 * hidden, bound=hidden**-0.5)

    def advance(self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor) -> Tensor:
        """One step of (h, c)."""
        hidden, cell = memory.chunk(2, dim=-1)
        return memory_step(torch.baddbmm(driven, hidden, self.weight.mT), cell)

    def advance_tangents(
        self,
        derived: tuple[Tensor, ...],
        memory: Tensor,
        driven: Tensor,
        tangents: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """The product rule through gates, cell and output."""
        (hidden, cell), (dmemory, ddriven) = memory.chunk(2, dim=-1), tangents
        dhidden, dcell = dmemory.chunk(2, dim=-2)
        gates = torch.baddbmm(driven, hidden, self.weight.mT)
        return memory_tangents(gates, cell, carry(self.weight, dhidden) + ddriven, dcell)

    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """The first step, then fused calls: past it the input is C h + d, which the weights of h can absorb."""
        memory, shown = self.parts(self.step(state))
        shown = shown.unsqueeze(-2)
        if steps > 1:
            weight = torch.baddbmm(self.weight, self.drive, self.readout.weight)
            bias = torch.baddbmm(self.bias, self.readout.bias, self.drive.mT)
            hidden, memory = fused_memory(weight, bias, memory, steps - 1)
            shown = torch.cat([shown, self.readout.observe(hidden)], dim=-2)
        return shown, torch.cat([memory, shown[..., -1, :]], dim=-1)


def memory_step(gates: Tensor, cell: Tensor) -> Tensor:
    """(h', c') from gates i, f, g, o before their sigmoids, `(K, B, 4 M), (K, B, M) -> (K, B, 2 M)`."""
    i, f, g, o = gates.chunk(4, dim=-1)
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return torch.cat([torch.sigmoid(o) * torch.tanh(cell), cell], dim=-1)


def memory_tangents(gates: Tensor, cell: Tensor, dgates: Tensor, dcell: Tensor) -> tuple[Tensor, Tensor]:
    """`memory_step`, and its derivative along tangents of the gates and of the cell, `(K, B, ., M)`."""
    i, f, g, o = gates.chunk(4, dim=-1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    di, df, dg, do = dgates.chunk(4, dim=-2)
    following = f * cell + i * g
    squashed = torch.tanh(following)
    dcell = f.unsqueeze(-1) * dcell
    for slope, tangent in ((cell * f * (1 - f), df), (g * i * (1 - i), di), (i * (1 - g.square()), dg)):
        dcell = torch.addcmul(dcell, slope.unsqueeze(-1), tangent)  # in one pass over tangents, which outweigh the rest
    dhidden = (o * (1 - squashed.square())).unsqueeze(-1) * dcell
    dhidden = torch.addcmul(dhidden, (squashed * o * (1 - o)).unsqueeze(-1), do)
    return torch.cat([o * squashed, following], dim=-1), torch.cat([dhidden, dcell], dim=-2)


def fused_memory(weight: Tensor, bias: Tensor, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """torch's LSTM without input, seed by seed.

    Args:
        weight, bias: `(K, 4 M, M)`, `(K, 1, 4 M)`.
        state: (h, c), `(K, B, 2 M)`.

    Returns:
        h after 1..steps steps, `(K, B, steps, M)`, and the last (h, c).
    """
    gates = weight.shape[1]
    starts = zip(*(part.contiguous().split(1) for part in state.chunk(2, dim=-1)), strict=True)
    quiet = state.new_zeros(state.shape[1], steps, 1)
    no_input, no_bias = state.new_zeros(gates, 1), state.new_zeros(gates)
    outputs, lasts = [], []
    # one unbind and split: the gradients of indices are zeros but for one seed, K times over
    for weights_of_one, bias_of_one, start in zip(weight.unbind(), bias.squeeze(1).unbind(), starts, strict=True):
        weights = [no_input, weights_of_one, bias_of_one, no_bias]
        output, h, c = torch.lstm(quiet, start, weights, True, 1, 0.0, torch.is_grad_enabled(), False, True)
        outputs.append(output)
        lasts.append(torch.cat([h[0], c[0]], dim=-1))
    return torch.stack(outputs), torch.stack(lasts)
