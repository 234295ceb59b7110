"""The linear oscillatory state-space model (LinOSS)."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoopNetwork
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.readouts import AffineReadout
from chaosbench.models.weights import normal, uniform, weight_generators


class LinOSS(ModelSpec):
    """y'' = -A y + B u, discretised, with A = relu(a) diagonal and steps dt = sigmoid(s); u = E x + e.

    Implicit: z' = S (z - dt A y + dt B u), y' = y + dt z' with S = 1 / (1 + dt² A); all eigenvalues have modulus
    sqrt(S). Implicit-explicit: S = 1; all eigenvalues have modulus 1 while dt² A <= 4, as at the start, and an
    oscillator that leaves this range in training is unstable. The output x' = R (u + GLU(GELU(C y' + D u))) + r is the
    next input. This is one published block without batch normalisation. The recurrence is linear, so it cannot be
    chaotic by itself; only the loop through the read-out can. Published: 16 to 256 oscillators, 16 to 128 features. B
    and C start uniform in +-1 / sqrt(inputs), D normal, a uniform in (0, 1), s normal with standard deviation 0.5. B
    and C are real, as in the paper; its code uses complex ones, so one oscillator there acts as two.

    Source:
        Rusch and Rus 2025, ICLR (2410.03943).
    """

    kind: Literal["linoss"] = "linoss"
    hidden: int = Field(64, ge=1)  # oscillators
    features: int = Field(16, ge=1)  # entries of u, and of the output before R
    scheme: Literal["implicit", "implicit_explicit"] = "implicit"

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return ClosedLoopLinOSS(self, dimension, seeds)


class ClosedLoopLinOSS(ClosedLoopNetwork):
    """The K networks of `LinOSS`; the hidden state is (y, z)."""

    def __init__(self, spec: LinOSS, dimension: int, seeds: Sequence[int]) -> None:
        generators, hidden, features = weight_generators(seeds), spec.hidden, spec.features
        super().__init__(generators, dimension, hidden=features, hidden_state_size=2 * hidden)
        self.implicit = spec.scheme == "implicit"
        self.encoder = AffineReadout(generators, features, dimension)
        self.stiffness = uniform(generators, 1, hidden, bound=0.5, centre=0.5)  # a
        self.steps = normal(generators, 1, hidden, scale=0.5)  # s
        self.inward = uniform(generators, hidden, features, bound=features**-0.5)
        self.outward = uniform(generators, features, hidden, bound=hidden**-0.5)
        self.skip = normal(generators, 1, features, scale=1.0)
        self.gate = AffineReadout(generators, 2 * features, features)

    @override
    def derived_parameters(self) -> tuple[Tensor, ...]:
        """dt, A and S, each `(K, 1, oscillators)`."""
        dt, stiffness = torch.sigmoid(self.steps), torch.relu(self.stiffness)
        scale = 1 / (1 + dt.square() * stiffness) if self.implicit else torch.ones_like(dt)
        return dt, stiffness, scale

    @override
    def input_weights(self) -> tuple[Tensor, Tensor]:
        """B E and B e."""
        return torch.bmm(self.inward, self.encoder.weight), torch.bmm(self.encoder.bias, self.inward.mT)

    @override
    def advance(self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor) -> Tensor:
        """(y', z')."""
        dt, stiffness, scale = derived
        y, z = hidden_state.chunk(2, dim=-1)
        z = scale * (z + dt * (input_term - stiffness * y))
        return torch.cat([y + dt * z, z], dim=-1)

    @override
    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Loop over steps, since the output is not linear in the hidden state."""
        return Forecaster.predict(self, state, steps)

    @override
    def output(self, hidden_state: Tensor, last_output: Tensor) -> Tensor:
        """R (u + GLU(GELU(C y' + D u))) + r."""
        features = self.encoder.observe(last_output)
        y, _ = hidden_state.chunk(2, dim=-1)
        mixed = torch.baddbmm(self.skip * features, y, self.outward.mT)
        value, gate = self.gate.observe(F.gelu(mixed)).chunk(2, dim=-1)  # tangents of F.glu have no gradient
        return self.readout.observe(features + value * torch.sigmoid(gate))

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Differentiate in forward mode, since the output is not linear in the hidden state."""
        return Forecaster.tangent_step(self, state, tangents)
