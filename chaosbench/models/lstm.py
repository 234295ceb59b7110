"""The long short-term memory, run without input."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.models.base import Forecaster, ModelSpec, drawn, seed_generator
from chaosbench.models.readouts import LinearReadout


class LSTM(ModelSpec):
    """c' = f c + i g, h' = o tanh(c') with gates of h; x = B h, forced by h = B⁺ x and c = 0.

    Source:
        Hochreiter and Schmidhuber 1997, Neural Computation 9, 1735, with the forget gate of Gers et al. 2000; in the
        autonomous form of Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, where a forced h may leave (-1, 1), too.
    """

    kind: Literal["lstm"] = "lstm"
    hidden: int = Field(30, ge=1)  # M, units

    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        """See `ModelSpec.build`."""
        return MemoryNetwork(self.hidden, dimension, seeds)


class MemoryNetwork(Forecaster):
    """The K networks of `LSTM`; the state is (h, c), S = 2 M."""

    resets = True

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size, self.hidden = len(seeds), dimension, 2 * hidden, hidden
        generators = [seed_generator(seed, "weights") for seed in seeds]
        self.weight = drawn(generators, 4 * hidden, hidden, bound=hidden**-0.5)  # gates i, f, g, o
        self.bias = drawn(generators, 1, 4 * hidden, bound=hidden**-0.5)
        self.readout = LinearReadout(generators, dimension, hidden)

    def step(self, state: Tensor) -> Tensor:
        """One step of (h, c)."""
        hidden, cell = state.split(self.hidden, dim=-1)
        i, f, g, o = torch.baddbmm(self.bias, hidden, self.weight.mT).chunk(4, dim=-1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.cat([torch.sigmoid(o) * torch.tanh(cell), cell], dim=-1)

    def observe(self, state: Tensor) -> Tensor:
        """B h."""
        return self.readout.observe(state[..., : self.hidden])

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """(B⁺ x, 0)."""
        hidden = self.readout.force(state, observation)
        return torch.cat([hidden, torch.zeros_like(hidden)], dim=-1)

    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """One fused call per seed in place of a loop over steps: the same numbers, several times faster."""
        hidden, cell = state.split(self.hidden, dim=-1)
        quiet = state.new_zeros(state.shape[1], steps, 1)
        no_input, no_bias = state.new_zeros(4 * self.hidden, 1), state.new_zeros(4 * self.hidden)
        outputs, lasts = [], []
        for k in range(self.seeds):
            start = (hidden[k : k + 1].contiguous(), cell[k : k + 1].contiguous())
            weights = [no_input, self.weight[k], self.bias[k, 0], no_bias]
            output, h, c = torch.lstm(quiet, start, weights, True, 1, 0.0, self.training, False, True)
            outputs.append(output)
            lasts.append(torch.cat([h[0], c[0]], dim=-1))
        return self.readout.observe(torch.stack(outputs)), torch.stack(lasts)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The product rule through gates, cell and output."""
        hidden, cell = state.split(self.hidden, dim=-1)
        i, f, g, o = torch.baddbmm(self.bias, hidden, self.weight.mT).chunk(4, dim=-1)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        di, df, dg, do = (self.weight[:, None] @ tangents[..., : self.hidden, :]).chunk(4, dim=-2)
        following = f * cell + i * g
        squashed = torch.tanh(following)
        dcell = (
            f.unsqueeze(-1) * tangents[..., self.hidden :, :]
            + (cell * f * (1 - f)).unsqueeze(-1) * df
            + (g * i * (1 - i)).unsqueeze(-1) * di
            + (i * (1 - g.square())).unsqueeze(-1) * dg
        )
        dhidden = (squashed * o * (1 - o)).unsqueeze(-1) * do + (o * (1 - squashed.square())).unsqueeze(-1) * dcell
        return torch.cat([o * squashed, following], dim=-1), torch.cat([dhidden, dcell], dim=-2)
