"""The undamped independent controlled oscillatory recurrent network (UnICORNN)."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoopNetwork
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import multiply_tangents, normal, uniform, weight_generators, zeros


class UnICORNN(ModelSpec):
    """z' = z - g (tanh(w y + V u + b) + alpha y), y' = y + g z', g = dt sigmoid(c); x' = C y' + d is the next input.

    w and c act elementwise, so the oscillators of a layer are not coupled. The input u is x in the lowest layer, and y'
    of the layer below in all others. Each layer is a symplectic map for any input: invertible and volume-preserving.
    Its gradients are bounded for small dt and fixed input, but such maps can be chaotic: with large w and dt, exponents
    are positive even without the loop through the read-out. Published: 3 layers of 128, with dt = 0.011, alpha = 9 for
    sequences of thousands of steps, and dt = 0.126, alpha = 13 where tens of steps matter (noisy CIFAR-10). The latter
    are the defaults, because forced segments are short. w starts uniform in (0, 1), c in +-0.1, V in
    +-sqrt(6 / (65 inputs)), b and d at zero, C normal with variance 2 / M.

    Source:
        Rusch and Mishra 2021, ICML (2103.05487).
    """

    kind: Literal["unicornn"] = "unicornn"
    hidden: int = Field(128, ge=1)  # M, oscillators per layer
    layers: int = Field(3, ge=1)  # each driven by the one below
    dt: float = Field(0.126, gt=0)  # largest time per step [the oscillators' own time]
    alpha: float = Field(13.0, ge=0)  # stiffness

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return ClosedLoopUnICORNN(self, dimension, seeds)


class ClosedLoopUnICORNN(ClosedLoopNetwork):
    """The K networks of `UnICORNN`; the hidden state is (y, z) of the top layer, then of each layer below it."""

    def __init__(self, spec: UnICORNN, dimension: int, seeds: Sequence[int]) -> None:
        generators, hidden, layers = weight_generators(seeds), spec.hidden, spec.layers
        super().__init__(generators, dimension, hidden=hidden, hidden_state_size=2 * hidden * layers)
        self.dt, self.alpha, self.layers = spec.dt, spec.alpha, layers
        self.readout.weight = normal(generators, dimension, hidden, scale=(2 / hidden) ** 0.5)
        above = range(layers - 1)
        self.drive = uniform(generators, hidden, dimension, bound=(6 / 65 / dimension) ** 0.5)
        self.bias = zeros(generators, 1, hidden)
        self.drives = nn.ParameterList(
            uniform(generators, hidden, hidden, bound=(6 / 65 / hidden) ** 0.5) for _ in above
        )
        self.biases = nn.ParameterList(zeros(generators, 1, hidden) for _ in above)
        self.weights = nn.ParameterList(uniform(generators, 1, hidden, bound=0.5, centre=0.5) for _ in range(layers))
        self.controls = nn.ParameterList(uniform(generators, 1, hidden, bound=0.1) for _ in range(layers))

    @override
    def derived_parameters(self) -> tuple[Tensor, ...]:
        """g of each layer, `(K, 1, M)`."""
        return tuple(self.dt * torch.sigmoid(control) for control in self.controls)

    @override
    def advance(self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor) -> Tensor:
        """Advance the layers from the lowest, next to the input, to the top."""
        advanced: list[Tensor] = []
        for layer, gain in enumerate(derived):
            y, z = self._oscillators(layer, hidden_state, dim=-1)
            input_term = self._layer_input(layer, advanced, input_term)
            z = z - gain * (torch.tanh(torch.addcmul(input_term, self.weights[layer], y)) + self.alpha * y)
            advanced = [y + gain * z, z, *advanced]
        return torch.cat(advanced, dim=-1)

    @override
    def advance_tangents(
        self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor, tangents: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Apply the chain rule from layer to layer."""
        following, (dhidden_state, dinput_term) = self.advance(derived, hidden_state, input_term), tangents
        advanced: list[Tensor] = []
        for layer, gain in enumerate(derived):
            y, _ = self._oscillators(layer, hidden_state, dim=-1)
            dy, dz = self._oscillators(layer, dhidden_state, dim=-2)
            if layer:
                below = self._oscillators(layer - 1, following, dim=-1)
                input_term, dinput_term = (
                    self._layer_input(layer, below, input_term),
                    multiply_tangents(self.drives[layer - 1], advanced[0]),
                )
            weight, gain = self.weights[layer], gain.unsqueeze(-1)
            slope = 1 - torch.tanh(torch.addcmul(input_term, weight, y)).square()
            dforce = slope.unsqueeze(-1) * torch.addcmul(dinput_term, weight.unsqueeze(-1), dy)
            dz = dz - gain * (dforce + self.alpha * dy)
            advanced = [dy + gain * dz, dz, *advanced]
        return following, torch.cat(advanced, dim=-2)

    def _oscillators(self, layer: int, hidden_state: Tensor, *, dim: int) -> tuple[Tensor, Tensor]:
        start = 2 * self.hidden * (self.layers - 1 - layer)
        return hidden_state.narrow(dim, start, self.hidden), hidden_state.narrow(dim, start + self.hidden, self.hidden)

    def _layer_input(self, layer: int, below: Sequence[Tensor], input_term: Tensor) -> Tensor:
        """Return the input term of a layer: V u + b with u = y' of the layer below, or V x + b in the lowest layer."""
        if not layer:
            return input_term
        return torch.baddbmm(self.biases[layer - 1], below[0], self.drives[layer - 1].mT)
