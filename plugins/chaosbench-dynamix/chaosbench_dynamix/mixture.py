"""The networks: mixtures of almost-linear recurrent experts, whose gate looks at the context."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from typing_extensions import override

from chaosbench import Forecaster, MemorisingForecaster
from chaosbench.dynamics import tangent_step_by_jvp
from chaosbench.models import normal, parameter_without_gradient, uniform, weight_generators, zeros

_COLDEST = 1e-4  # least temperature of a softmax, as in the authors' code
_FIRST_TEMPERATURE = 0.1
_FIRST_NOISE = 0.05  # of the attention's query, in standard deviations of the context


class Shape(NamedTuple):
    """The sizes of a mixture: N observables, M units, P of them with a relu, J experts, L steps of context."""

    observables: int
    hidden: int
    rectified: int
    experts: int
    context: int


class Context(NamedTuple):
    """A context as the gate sees it.

    Attributes:
        points: c_1 ... c_(L-1), standardised, `(K, B, L - 1, N)`.
        features: the convolution over c_t and c_(t+1), `(K, B, L - 1, N)`.
        excluded: 0 where the history reaches, -inf where it does not, `(K, B, L - 1)`.
    """

    points: Tensor
    features: Tensor
    excluded: Tensor


class MixtureForecaster(Forecaster):
    """The K mixtures of `DynaMix`.

    The state is (z, c_1, ..., c_L, m, s, n), S = M + L N + 2 N + 1: the units, the last L observations, their mean and
    standard deviation, and how many of them there are. `step` changes z alone, and its derivative is taken by z alone:
    a context is what the law of motion depends on, not a variable of it. Gradients of a training pass through the
    attention as well, which the authors' code cuts.
    """

    def __init__(self, shape: Shape, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.shape = len(seeds), dimension, shape
        n, m, j = shape.observables, shape.hidden, shape.experts
        self.state_size = m + shape.context * n + 2 * n + 1
        generators = weight_generators(seeds)
        self.diagonal = nn.Parameter(torch.stack([_stable_diagonals(j, m, each) for each in generators]))
        self.weight = normal(generators, j * m, m, scale=0.01)
        self.bias = zeros(generators, j, m)
        self.start = uniform(generators, n, m - n, bound=m**-0.5)
        self.query = nn.Parameter(torch.eye(n, m).repeat(len(seeds), 1, 1))
        self.convolution = uniform(generators, n, 2 * n, bound=(2 * n) ** -0.5)
        self.convolution_bias = uniform(generators, 1, n, bound=(2 * n) ** -0.5)
        self.gate = uniform(generators, j, n + m, bound=(n + m) ** -0.5)
        self.gate_output = uniform(generators, j, j, bound=j**-0.5)
        self.gate_biases = parameter_without_gradient(torch.zeros(len(seeds), 2, j))
        self.temperatures = nn.Parameter(torch.full((len(seeds), 2), _FIRST_TEMPERATURE))
        self.noise = parameter_without_gradient(torch.full((len(seeds), n), _FIRST_NOISE))

    @override
    def step(self, state: Tensor) -> Tensor:
        """(z', C, m, s, n) with z' = sum_j w_j(z, C) (A_j z + W_j phi(z) + h_j)."""
        hidden, rest = self._split(state)
        return torch.cat([self.advance(hidden, self.encoded(rest)), rest.detach()], dim=-1)

    def advance(self, hidden: Tensor, context: Context, noise: Tensor | None = None) -> Tensor:
        """Return the next units, `(K, B, M) -> (K, B, M)`.

        Args:
            hidden: z, the first N in standard deviations of the context.
            noise: added to the query of the attention, `(K, B, N)`; None: none.
        """
        weights = self.expert_weights(hidden, context, noise)
        linear = self.shape.hidden - self.shape.rectified
        activated = torch.cat([hidden[..., :linear], hidden[..., linear:].relu()], dim=-1)
        responses = torch.bmm(activated, self.weight.mT).unflatten(-1, (self.shape.experts, self.shape.hidden))
        mixed = (weights.unsqueeze(-2) @ responses).squeeze(-2)
        return torch.bmm(weights, self.diagonal) * hidden + mixed + torch.bmm(weights, self.bias)

    def expert_weights(self, hidden: Tensor, context: Context, noise: Tensor | None = None) -> Tensor:
        """Return w_j = softmax(-MLP([features attended to; z]) / |T2|), `(K, B, M) -> (K, B, J)`.

        The attention of D z to c_t is softmax(-|c_t - D z|_1 / |T1|).
        """
        query = torch.bmm(hidden, self.query.mT)
        query = query if noise is None else query + noise
        distance = (context.points - query.unsqueeze(2)).abs().sum(dim=-1)
        first, second = self.temperatures.abs().clamp_min(_COLDEST).view(-1, 2, 1, 1).unbind(1)
        attention = torch.softmax(context.excluded - distance / first, dim=-1)
        embedding = (attention.unsqueeze(2) @ context.features).squeeze(2)
        seen = torch.cat([embedding, hidden], dim=-1)
        inner = torch.baddbmm(self.gate_biases[:, :1], seen, self.gate.mT).relu()
        return torch.softmax(-torch.baddbmm(self.gate_biases[:, 1:], inner, self.gate_output.mT) / second, dim=-1)

    def encoded(self, rest: Tensor) -> Context:
        """Return what the gate sees of the state without its units, `(K, B, S - M)`."""
        length, n = self.shape.context, self.shape.observables
        points = rest[..., : length * n].detach().unflatten(-1, (length, n))
        pairs = torch.cat([points[:, :, :-1], points[:, :, 1:]], dim=-1).flatten(1, 2)
        features = torch.baddbmm(self.convolution_bias, pairs, self.convolution.mT).view_as(points[:, :, 1:])
        count = rest[..., -1:].detach().nan_to_num(length).round().clamp(2, length)
        missing = torch.arange(length - 1, device=rest.device) < length - count
        return Context(points[:, :, :-1], features, torch.zeros_like(rest[..., :1]).masked_fill(missing, -torch.inf))

    @override
    def observe(self, state: Tensor) -> Tensor:
        """Return m + s z of the first units."""
        mean, deviation = self._scale(state)
        return state[..., : self.dimension] * deviation[..., : self.dimension] + mean[..., : self.dimension]

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """Replace the first units; keep the others and the context."""
        return torch.cat([self.standardised(state, observation), state[..., self.shape.observables :]], dim=-1)

    def restarted(self, state: Tensor, observation: Tensor) -> Tensor:
        """Return the state at an observation with the same context and z = (x, B x), `(K, B, S), (K, B, D)`."""
        x = self.standardised(state, observation)
        return torch.cat([x, torch.bmm(x, self.start), state[..., self.shape.hidden :]], dim=-1)

    @override
    def initial_state(self, history: Tensor) -> Tensor:
        """Take the end of the history as the context, standardised by itself, and start from its last entry."""
        known = history[:, :, -self.shape.context :]
        known = known.repeat(1, 1, 2, 1) if known.shape[2] == 1 else known
        deviation = known.std(dim=2)
        return self.in_context(known, known.mean(dim=2), torch.where(deviation == 0, 1.0, deviation))

    def in_context(self, known: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        """Return the state at the end of a context of 2 to L observations, standardised by the given numbers.

        Args:
            known: `(K, B, H, D)`.
            mean, deviation: `(K, B, D)`.
        """
        missing = (0, self.shape.observables - self.dimension)
        mean, deviation = nn.functional.pad(mean, missing), nn.functional.pad(deviation, missing, value=1.0)
        points = (nn.functional.pad(known, missing) - mean.unsqueeze(2)) / deviation.unsqueeze(2)
        before = points[:, :, :1].expand(-1, -1, self.shape.context - known.shape[2], -1)
        context = torch.cat([before, points], dim=2).flatten(2)
        hidden = known.new_zeros(*known.shape[:2], self.shape.hidden)
        count = known.new_full((*known.shape[:2], 1), known.shape[2])
        return self.restarted(torch.cat([hidden, context, mean, deviation, count], dim=-1), known[:, :, -1])

    @override
    def first_state(self, observation: Tensor) -> Tensor:
        """Return a state whose context is the observation alone."""
        return self.initial_state(observation.unsqueeze(2))

    @override
    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Encode the context once, and keep no states in between."""
        hidden, rest = self._split(state)
        context, shown = self.encoded(rest), []
        for _ in range(steps):
            hidden = self.advance(hidden, context)
            shown.append(hidden[..., : self.dimension])
        mean, deviation = (part[..., : self.dimension].unsqueeze(2) for part in self._scale(state))
        return torch.stack(shown, dim=2) * deviation + mean, torch.cat([hidden, rest], dim=-1)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Differentiate by the units alone, with the context encoded once; tangents of the context vanish."""
        hidden, rest = self._split(state)
        units, count = self.shape.hidden, tangents.shape[-1]
        context = Context(*(part.repeat_interleave(count, dim=1) for part in self.encoded(rest)))
        following, carried = tangent_step_by_jvp(lambda z: self.advance(z, context), hidden, tangents[:, :, :units])
        still = torch.zeros_like(tangents[:, :, units:])
        return torch.cat([following, rest], dim=-1), torch.cat([carried, still], dim=2)

    def standardised(self, state: Tensor, observation: Tensor) -> Tensor:
        """Return an observation in standard deviations of the context, zero where it is none, `(K, B, N)`."""
        mean, deviation = self._scale(state)
        padded = nn.functional.pad(observation, (0, self.shape.observables - self.dimension))
        return (padded - mean) / deviation

    def _split(self, state: Tensor) -> tuple[Tensor, Tensor]:
        return state[..., : self.shape.hidden], state[..., self.shape.hidden :]

    def _scale(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the context, `(K, ..., N)` each."""
        n = self.shape.observables
        return state[..., -2 * n - 1 : -n - 1], state[..., -n - 1 : -1]


class ZeroShotForecaster(MixtureForecaster, MemorisingForecaster):
    """K equal mixtures with weights from elsewhere; training data are not used."""

    def __init__(self, shape: Shape, dimension: int, seeds: Sequence[int], weights: Mapping[str, Tensor]) -> None:
        super().__init__(shape, dimension, seeds)
        self.requires_grad_(False)
        for name, values in weights.items():
            self.get_parameter(name).copy_(values.expand(len(seeds), *values.shape))

    @override
    def memorise(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Store nothing."""


def _stable_diagonals(experts: int, hidden: int, generator: Generator) -> Tensor:
    """Return the diagonals of J random positive matrices with spectral radius 1, `(J, M)`.

    Source:
        Talathi and Vartak 2015 (1511.03771), as for the almost-linear RNN.
    """
    root = torch.randn(experts, hidden, hidden, generator=generator)
    positive = root.mT @ root / hidden + torch.eye(hidden)
    radius = torch.linalg.eigvalsh(positive).amax(dim=-1, keepdim=True)
    return positive.diagonal(dim1=-2, dim2=-1) / radius
