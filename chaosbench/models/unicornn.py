"""The undamped network of independent, controlled oscillators."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoop
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import carry, drawn, normal, weight_generators, zeros


class UnICORNN(ModelSpec):
    """z' = z - g (tanh(w y + V u + b) + alpha y), y' = y + g z' with g = dt sigmoid(c); x' = C y' + d is fed back.

    w, c and products with them are elementwise: oscillators of one layer do not see each other. The lowest layer's
    u is x, that of each other the y' below it. Each layer is a symplectic map for any input, invertible and preserving
    volume, with bounded gradients: it cannot be chaotic by itself; only the loop through the read-out can. Published:
    3 layers of 128; dt = 0.011, alpha = 9 where sequences have thousands of steps, dt = 0.126, alpha = 13 where a few
    tens count (noisy CIFAR-10), the default here, because forced segments are short. w starts uniform in (0, 1), c in
    +-0.1, V in +-sqrt(6 / 65 inputs), b and d at zero, C normal with variance 2 / M.

    Source:
        Rusch and Mishra 2021, ICML (2103.05487).
    """

    kind: Literal["unicornn"] = "unicornn"
    hidden: int = Field(128, ge=1)  # M, oscillators per layer
    layers: int = Field(3, ge=1)
    dt: float = Field(0.126, gt=0)  # longest time per step, in the oscillators' unit
    alpha: float = Field(13.0, ge=0)  # stiffness

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return IndependentOscillators(self, dimension, seeds)


class IndependentOscillators(ClosedLoop):
    """The K networks of `UnICORNN`; the memory is (y, z) of the top layer, then of those below."""

    def __init__(self, spec: UnICORNN, dimension: int, seeds: Sequence[int]) -> None:
        generators, hidden, layers = weight_generators(seeds), spec.hidden, spec.layers
        super().__init__(generators, dimension, hidden=hidden, memory=2 * hidden * layers)
        self.dt, self.alpha, self.layers = spec.dt, spec.alpha, layers
        self.readout.weight = normal(generators, dimension, hidden, scale=(2 / hidden) ** 0.5)
        above = range(layers - 1)
        self.drive = drawn(generators, hidden, dimension, bound=(6 / 65 / dimension) ** 0.5)
        self.bias = zeros(generators, 1, hidden)
        self.drives = nn.ParameterList(drawn(generators, hidden, hidden, bound=(6 / 65 / hidden) ** 0.5) for _ in above)
        self.biases = nn.ParameterList(zeros(generators, 1, hidden) for _ in above)
        self.weights = nn.ParameterList(drawn(generators, 1, hidden, bound=0.5, centre=0.5) for _ in range(layers))
        self.controls = nn.ParameterList(drawn(generators, 1, hidden, bound=0.1) for _ in range(layers))

    def derived(self) -> tuple[Tensor, ...]:
        """g of each layer."""
        return tuple(self.dt * torch.sigmoid(control) for control in self.controls)

    def advance(self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor) -> Tensor:
        """Layer after layer, from the input to the top."""
        swung: list[Tensor] = []
        for layer, gain in enumerate(derived):
            y, z = self._oscillators(layer, memory, dim=-1)
            driven = self._driven(layer, swung, driven)
            z = z - gain * (torch.tanh(torch.addcmul(driven, self.weights[layer], y)) + self.alpha * y)
            swung = [y + gain * z, z, *swung]
        return torch.cat(swung, dim=-1)

    def advance_tangents(
        self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor, tangents: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The chain rule from layer to layer."""
        following, (dmemory, ddriven) = self.advance(derived, memory, driven), tangents
        swung: list[Tensor] = []
        for layer, gain in enumerate(derived):
            y, _ = self._oscillators(layer, memory, dim=-1)
            dy, dz = self._oscillators(layer, dmemory, dim=-2)
            if layer:
                below = self._oscillators(layer - 1, following, dim=-1)
                driven, ddriven = self._driven(layer, below, driven), carry(self.drives[layer - 1], swung[0])
            weight, gain = self.weights[layer], gain.unsqueeze(-1)
            slope = 1 - torch.tanh(torch.addcmul(driven, weight, y)).square()
            dforce = slope.unsqueeze(-1) * torch.addcmul(ddriven, weight.unsqueeze(-1), dy)
            dz = dz - gain * (dforce + self.alpha * dy)
            swung = [dy + gain * dz, dz, *swung]
        return following, torch.cat(swung, dim=-2)

    def _oscillators(self, layer: int, memory: Tensor, *, dim: int) -> tuple[Tensor, Tensor]:
        start = 2 * self.hidden * (self.layers - 1 - layer)
        return memory.narrow(dim, start, self.hidden), memory.narrow(dim, start + self.hidden, self.hidden)

    def _driven(self, layer: int, below: Sequence[Tensor], driven: Tensor) -> Tensor:
        """What drives a layer: the output of that below, or, at the bottom, the input."""
        if not layer:
            return driven
        return torch.baddbmm(self.biases[layer - 1], below[0], self.drives[layer - 1].mT)
