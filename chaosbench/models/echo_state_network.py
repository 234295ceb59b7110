"""The echo state network: a random reservoir, of which only the read-out is learned."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoop
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.regression import Regressed
from chaosbench.models.weights import carry, fitted, weight_generators

_HELD = 10  # [steps]


class EchoStateNetwork(ModelSpec):
    """r' = (1 - a) r + a tanh(W r + V x + b), x' = C r' + d, run on its own output; C and d are learned, W, V, b drawn.

    Each row of W has `degree` entries uniform in +-1, scaled together to the spectral radius; V is uniform in
    +-`input_scale`, b in +-`bias_scale`. A forecast starts from one observation, where a reservoir needs a history: it
    starts at L h + l, h being what ten steps of x held still make of an empty reservoir, L and l learned, too.

    Source:
        Jaeger 2001, GMD Report 148; leaky units: Jaeger, Lukosevicius, Popovici and Siewert 2007, Neural Networks 20,
        335; settings for Lorenz-63, there with 1,000 units: Vlachas et al. 2020, Neural Networks 126, 191; learned
        starts: Grigoryeva et al. 2024, Physica D 469, 134325.
    """

    learning: ClassVar[str] = "regression"
    kind: Literal["echo_state_network"] = "echo_state_network"
    hidden: int = Field(300, ge=1)  # M, units of the reservoir
    spectral_radius: float = Field(0.6, ge=0)  # of W
    degree: int = Field(10, ge=1)  # entries of each row of W
    input_scale: float = Field(1.0, gt=0)  # of V
    bias_scale: float = Field(1.0, ge=0)  # of b
    leak: float = Field(1.0, gt=0, le=1)  # a, the share of a unit that is new at each step

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return Reservoir(self, dimension, seeds)


class Reservoir(ClosedLoop, Regressed):
    """The K networks of `EchoStateNetwork`; the memory is r."""

    weight: Tensor

    def __init__(self, spec: EchoStateNetwork, dimension: int, seeds: Sequence[int]) -> None:
        generators = weight_generators(seeds)
        super().__init__(generators, dimension, hidden=spec.hidden, memory=spec.hidden)
        self.readout.requires_grad_(False)
        self.lift = fitted(torch.zeros(self.seeds, spec.hidden, spec.hidden))  # L
        self.lift_offset = fitted(torch.zeros(self.seeds, 1, spec.hidden))  # l
        self.regressors, self.leak = spec.hidden, spec.leak
        scales = {"drive": (spec.hidden, dimension, spec.input_scale), "bias": (1, spec.hidden, spec.bias_scale)}
        for name, (rows, columns, scale) in scales.items():
            draws = [torch.rand(rows, columns, generator=generator) for generator in generators]
            self.register_buffer(name, (2 * torch.stack(draws) - 1) * scale)
        self.register_buffer("weight", torch.stack([reservoir(spec, generator) for generator in generators]))

    def advance(self, derived: tuple[Tensor, ...], memory: Tensor, driven: Tensor) -> Tensor:
        """(1 - a) r + a tanh(W r + V x + b)."""
        return torch.lerp(memory, torch.tanh(torch.baddbmm(driven, memory, self.weight.mT)), self.leak)

    def advance_tangents(
        self,
        derived: tuple[Tensor, ...],
        memory: Tensor,
        driven: Tensor,
        tangents: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """J = (1 - a) + a diag(1 - tanh²) (W, V)."""
        active, (dmemory, ddriven) = torch.tanh(torch.baddbmm(driven, memory, self.weight.mT)), tangents
        carried = (1 - active.square()).unsqueeze(-1) * (carry(self.weight, dmemory) + ddriven)
        return torch.lerp(memory, active, self.leak), torch.lerp(dmemory, carried, self.leak)

    def initial_state(self, observation: Tensor) -> Tensor:
        """(L h + l, x)."""
        memory = torch.baddbmm(self.lift_offset, self.clue(observation), self.lift.mT)
        return torch.cat([memory, observation], dim=-1)

    def respond(self, state: Tensor, observation: Tensor) -> tuple[Tensor, Tensor]:
        """(r', x) and r'."""
        memory = self.advance((), state[..., : self.memory], torch.baddbmm(self.bias, observation, self.drive.mT))
        return torch.cat([memory, observation], dim=-1), memory

    @override
    def read(self, weight: Tensor, offset: Tensor) -> None:
        self.readout.weight.copy_(weight)
        self.readout.bias.copy_(offset)

    def clue(self, observation: Tensor) -> Tensor:
        """h."""
        driven = torch.baddbmm(self.bias, observation, self.drive.mT)
        memory = observation.new_zeros(*observation.shape[:2], self.memory)
        for _ in range(_HELD):
            memory = self.advance((), memory, driven)
        return memory

    @override
    def start(self, weight: Tensor, offset: Tensor) -> None:
        """What of the state is no memory is the observation."""
        self.lift.copy_(weight[:, : self.memory])
        self.lift_offset.copy_(offset[..., : self.memory])


def reservoir(spec: EchoStateNetwork, generator: Generator) -> Tensor:
    """W, `(M, M)`."""
    size, degree = spec.hidden, min(spec.degree, spec.hidden)
    columns = torch.rand(size, size, generator=generator).topk(degree).indices
    entries = 2 * torch.rand(size, degree, generator=generator) - 1
    matrix = torch.zeros(size, size, dtype=torch.float64).scatter(1, columns, entries.double())
    largest = float(torch.linalg.eigvals(matrix).abs().max())
    return (matrix * (spec.spectral_radius / largest)).float()
