"""The echo state network: a random reservoir with a learned read-out."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.kernels import Reservoir, ReservoirBackend, reservoir_backend_for
from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoopNetwork
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.inheritance import still_holds
from chaosbench.models.regression import RegressionForecaster
from chaosbench.models.weights import multiply_tangents, weight_generators


class EchoStateNetwork(ModelSpec):
    """r' = (1 - a) r + a tanh(W r + V x + b), x' = C r' + d is the next input; W, V, b are random, C, d are learned.

    Each row of W has `degree` entries uniform in +-1; W is then scaled to the spectral radius. V is uniform in
    +-`input_scale`, b in +-`bias_scale`. An empty reservoir is driven by the history of a forecast; a history shorter
    than the reservoir's memory leaves it near the empty state, which it never visits in training. The number of
    parameters counts what is learned, C and d, and not the reservoir.

    Source:
        Jaeger 2001, GMD Report 148; leaky units: Jaeger, Lukosevicius, Popovici and Siewert 2007, Neural Networks 20,
        335; settings for Lorenz-63, with 1,000 units and 200 steps of warm-up: Vlachas et al. 2020, Neural Networks
        126, 191.
    """

    learning: ClassVar[str] = "regression"
    kind: Literal["echo_state_network"] = "echo_state_network"
    hidden: int = Field(300, ge=1)  # M, units of the reservoir
    spectral_radius: float = Field(0.6, ge=0)  # of W
    degree: int = Field(10, ge=1)  # entries of each row of W
    input_scale: float = Field(1.0, gt=0)  # of V
    bias_scale: float = Field(1.0, ge=0)  # of b
    leak: float = Field(1.0, gt=0, le=1)  # a, the weight of the new value of a unit

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return ClosedLoopEchoStateNetwork(self, dimension, seeds)


class ClosedLoopEchoStateNetwork(ClosedLoopNetwork, RegressionForecaster):
    """The K networks of `EchoStateNetwork`; the hidden state is r."""

    weight: Tensor

    def __init__(self, spec: EchoStateNetwork, dimension: int, seeds: Sequence[int]) -> None:
        generators = weight_generators(seeds)
        super().__init__(generators, dimension, hidden=spec.hidden, hidden_state_size=spec.hidden)
        self.readout.requires_grad_(False)
        self.feature_count, self.leak = spec.hidden, spec.leak
        scales = {"drive": (spec.hidden, dimension, spec.input_scale), "bias": (1, spec.hidden, spec.bias_scale)}
        for name, (rows, columns, scale) in scales.items():
            draws = [torch.rand(rows, columns, generator=generator) for generator in generators]
            self.register_buffer(name, (2 * torch.stack(draws) - 1) * scale)
        self.register_buffer("weight", torch.stack([random_reservoir(spec, generator) for generator in generators]))

    @override
    def advance(self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor) -> Tensor:
        """(1 - a) r + a tanh(W r + V x + b)."""
        return torch.lerp(hidden_state, torch.tanh(torch.baddbmm(input_term, hidden_state, self.weight.mT)), self.leak)

    @override
    def advance_tangents(
        self,
        derived: tuple[Tensor, ...],
        hidden_state: Tensor,
        input_term: Tensor,
        tangents: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """J = (1 - a) + a diag(1 - tanh²) (W, V)."""
        active, (dhidden_state, dinput_term) = (
            torch.tanh(torch.baddbmm(input_term, hidden_state, self.weight.mT)),
            tangents,
        )
        carried = (1 - active.square()).unsqueeze(-1) * (multiply_tangents(self.weight, dhidden_state) + dinput_term)
        return torch.lerp(hidden_state, active, self.leak), torch.lerp(dhidden_state, carried, self.leak)

    @override
    def respond(self, state: Tensor, observation: Tensor) -> tuple[Tensor, Tensor]:
        """(r', x) and r'."""
        hidden_state = self.advance(
            (), state[..., : self.hidden_state_size], torch.baddbmm(self.bias, observation, self.drive.mT)
        )
        return torch.cat([hidden_state, observation], dim=-1), hidden_state

    @override
    def drive_along(self, state: Tensor, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Call one compiled kernel for all observations where there is one."""
        found = self._kernel(state, observations.shape[2]) if still_holds(type(self), "drive_along") else None
        if found is None:
            return super().drive_along(state, observations)
        backend, reservoir = found
        responses = backend.respond(reservoir, state[..., : self.hidden], observations)
        return torch.cat([responses[:, :, -1], observations[:, :, -1]], dim=-1), responses

    @override
    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Call one compiled kernel for all steps where there is one."""
        holds = still_holds(type(self), "predict") and still_holds(type(self.readout), "affine_map")
        found = self._kernel(state, steps) if holds else None
        if found is None:
            return super().predict(state, steps)
        backend, reservoir = found
        hidden_state, output = self.split_state(state)
        observed, hidden_state = backend.run_freely(reservoir, hidden_state, output, steps)
        return observed, torch.cat([hidden_state, observed[:, :, -1]], dim=-1)

    def _kernel(self, state: Tensor, steps: int) -> tuple[ReservoirBackend, Reservoir] | None:
        readout, offset = self.readout.affine_map()
        reservoir = Reservoir(self.weight, self.drive, self.bias[:, 0], readout, offset, self.leak)
        backend = reservoir_backend_for(state, reservoir, steps)
        return None if backend is None else (backend, reservoir)

    @override
    def set_readout(self, weight: Tensor, offset: Tensor) -> None:
        self.readout.weight.copy_(weight)
        self.readout.bias.copy_(offset)


def random_reservoir(spec: EchoStateNetwork, generator: Generator) -> Tensor:
    """Draw a sparse W, `(M, M)`, with the spectral radius of `spec`."""
    size, degree = spec.hidden, min(spec.degree, spec.hidden)
    columns = torch.rand(size, size, generator=generator).topk(degree).indices
    entries = 2 * torch.rand(size, degree, generator=generator) - 1
    matrix = torch.zeros(size, size, dtype=torch.float64).scatter(1, columns, entries.double())
    largest = float(torch.linalg.eigvals(matrix).abs().max())
    return (matrix * (spec.spectral_radius / largest)).float()
