"""The neural ordinary differential equation: a flow whose vector field is a small network."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import pi
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.readouts import FullyObservedForecaster
from chaosbench.models.weights import multiply_tangents, uniform, weight_generators

Point = tuple[Tensor, ...]  # a state, or a state with its tangents


class NeuralODE(ModelSpec):
    """dx/dt = f(x), f a multilayer perceptron with GELU, in classical Runge-Kutta steps; the state is x itself.

    Published for chaotic data: two hidden layers of 50. Weights start uniform in +-1 / sqrt(inputs), as in torch.

    Source:
        Chen, Rubanova, Bettencourt and Duvenaud 2018, NeurIPS (1806.07366); the perceptron of Ko, Koh, Park and Jhe
        2023, NeurIPS (2210.01407).
    """

    kind: Literal["neural_ode"] = "neural_ode"
    hidden: int = Field(50, ge=1)  # units per hidden layer
    layers: int = Field(2, ge=1)  # hidden layers
    dt: float = Field(0.1, gt=0)  # time per step [the field's own unit]; small, because the initial field is of order 1
    substeps: int = Field(1, ge=1)  # Runge-Kutta steps per step

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return AutonomousNeuralODE(self, dimension, seeds)


class AutonomousNeuralODE(FullyObservedForecaster):
    """The K flows of `NeuralODE`; S = D."""

    def __init__(self, spec: NeuralODE, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = len(seeds), dimension, dimension
        self.dt, self.substeps = spec.dt / spec.substeps, spec.substeps
        generators = weight_generators(seeds)
        sizes = [dimension, *[spec.hidden] * spec.layers, dimension]
        shapes = list(pairwise(sizes))
        self.weights = nn.ParameterList(uniform(generators, n, m, bound=n**-0.5) for n, m in shapes)
        self.biases = nn.ParameterList(uniform(generators, 1, m, bound=n**-0.5) for n, m in shapes)

    def vector_field(self, state: Tensor) -> Tensor:
        """f(x), `(K, B, D) -> (K, B, D)`."""
        layers = list(zip(self.biases, self.weights, strict=True))
        for bias, weight in layers[:-1]:
            state = F.gelu(torch.baddbmm(bias, state, weight))
        bias, weight = layers[-1]
        return torch.baddbmm(bias, state, weight)

    @override
    def step(self, state: Tensor) -> Tensor:
        """Integrate over `dt`."""
        for _ in range(self.substeps):
            (state,) = runge_kutta_4(lambda point: (self.vector_field(point[0]),), (state,), self.dt)
        return state

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Integrate the variational equation with the flow, which gives the exact derivative of `step`."""
        for _ in range(self.substeps):
            state, tangents = runge_kutta_4(self._variation, (state, tangents), self.dt)
        return state, tangents

    def _variation(self, point: Point) -> Point:
        """Return f and its derivative along the tangents."""
        state, tangents = point
        layers = list(zip(self.biases, self.weights, strict=True))
        for bias, weight in layers[:-1]:
            pre = torch.baddbmm(bias, state, weight)
            gate = 0.5 * (1 + torch.erf(pre * 0.5**0.5))
            slope = gate + pre * torch.exp(-0.5 * pre.square()) * (2 * pi) ** -0.5
            state, tangents = pre * gate, slope.unsqueeze(-1) * multiply_tangents(weight.mT, tangents)
        bias, weight = layers[-1]
        return torch.baddbmm(bias, state, weight), multiply_tangents(weight.mT, tangents)


def runge_kutta_4(field: Callable[[Point], Point], point: Point, dt: float) -> Point:
    """Take one classical fourth-order step of an autonomous field on several tensors at once.

    Args:
        field: maps the tensors to their time derivatives.
        point: the tensors, of any shapes.
        dt: time step [system time].

    Source:
        Kutta 1901, Zeitschrift für Mathematik und Physik 46, 435.
    """

    def shift(slopes: Point, time: float) -> Point:
        return tuple(torch.add(part, slope, alpha=time) for part, slope in zip(point, slopes, strict=True))

    k1 = field(point)
    k2 = field(shift(k1, dt / 2))
    k3 = field(shift(k2, dt / 2))
    k4 = field(shift(k3, dt))
    mean = tuple((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True))
    return shift(mean, dt)
