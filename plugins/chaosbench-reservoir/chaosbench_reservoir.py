"""Next-generation reservoir computing for chaosbench: the model `next_generation_reservoir`."""

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import combinations_with_replacement
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from chaosbench import Forecaster, ModelSpec, RegressionForecaster, hookimpl
from chaosbench.models import parameter_without_gradient


class NextGenerationReservoir(ModelSpec):
    """x' = C phi + d, where phi are all monomials up to a degree of the last observations x_t, x_(t-s), ...

    Nothing is random but the noise of the trainer `ridge`, which finds C and d; its `warm_up` must be at least
    (delays - 1) * stride. The paper shrinks the increment x' - x towards zero, `ridge` shrinks C; with as little
    regularisation as in the paper, both give its errors. The paper has no noise in training; `ridge` adds a little,
    without which delays of accurate data can make the free run unstable (Zhang, Roque dos Santos and Cornelius 2024,
    2407.08641).

    Source:
        Gauthier, Bollt, Griffith and Barbosa 2021, Nature Communications 12, 5564, equations 5 to 9; Lorenz-63 with two
        delays, stride 1 and degree 2; the double scroll, whose equations are odd, with degrees 1 and 3.
    """

    learning: ClassVar[str] = "regression"
    kind: Literal["next_generation_reservoir"] = "next_generation_reservoir"
    delays: int = Field(2, ge=1)  # k, observations that enter, the present one included
    stride: int = Field(1, ge=1)  # s, from one of them to the next [steps]
    degree: int = Field(2, ge=1)  # p, of the highest monomials
    odd: bool = False  # only odd degrees, for equations with f(-x) = -f(x)

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return DelayPolynomial(self, dimension, len(seeds))


class DelayPolynomial(RegressionForecaster):
    """The K polynomials of `NextGenerationReservoir`.

    The state is (x_t, x_(t-1), ..., x_(t-L)) with L = (delays - 1) * stride, S = (L + 1) D.
    """

    def __init__(self, spec: NextGenerationReservoir, dimension: int, seeds: int) -> None:
        super().__init__()
        self.seeds, self.dimension, self.delays, self.stride = seeds, dimension, spec.delays, spec.stride
        self.span = (spec.delays - 1) * spec.stride  # L [steps]
        self.state_size = (self.span + 1) * dimension
        self.resets = self.span == 0
        self.monomials = Monomials(spec.delays * dimension, spec.degree, odd=spec.odd)
        self.feature_count = self.monomials.count
        self.weight = parameter_without_gradient(torch.zeros(seeds, dimension, self.feature_count))
        self.offset = parameter_without_gradient(torch.zeros(seeds, 1, dimension))

    @override
    def step(self, state: Tensor) -> Tensor:
        """(C phi + d, x_t, ..., x_(t-L+1))."""
        following = torch.baddbmm(self.offset, self.monomials.values(self._delayed(state)), self.weight.mT)
        return self._shifted(state, following)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J = C dphi in the first D rows; the others shift."""
        slopes = self.monomials.slopes(self._delayed(state), self.weight)
        delayed = tangents.unflatten(2, (-1, self.dimension))[:, :, :: self.stride].flatten(2, 3)
        carried = torch.cat([slopes @ delayed, tangents], dim=2)[:, :, : self.state_size]
        return self.step(state), carried

    @override
    def observe(self, state: Tensor) -> Tensor:
        """Return x_t."""
        return state[..., : self.dimension]

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """Replace x_t."""
        return torch.cat([observation, state[..., self.dimension :]], dim=-1)

    @override
    def first_state(self, observation: Tensor) -> Tensor:
        """Repeat a single observation as its own past."""
        return observation.repeat(1, 1, self.span + 1)

    @override
    def respond(self, state: Tensor, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Return the shifted state and its monomials."""
        state = self._shifted(state, observation)
        return state, self.monomials.values(self._delayed(state))

    @override
    def drive_along(self, state: Tensor, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the monomials of all observations at once."""
        past = state.unflatten(-1, (-1, self.dimension)).flip(2)
        whole, steps = torch.cat([past, observations], dim=2), observations.shape[2]
        starts = [self.span + 1 - delay * self.stride for delay in range(self.delays)]
        delayed = torch.cat([whole[:, :, start : start + steps] for start in starts], dim=-1)
        last = whole[:, :, -self.span - 1 :].flip(2).flatten(2)
        return last, self.monomials.values(delayed)

    @override
    def set_readout(self, weight: Tensor, offset: Tensor) -> None:
        self.weight.copy_(weight)
        self.offset.copy_(offset)

    def _delayed(self, state: Tensor) -> Tensor:
        """Return (x_t, x_(t-s), ...), `(K, B, S) -> (K, B, delays D)`."""
        return state.unflatten(-1, (-1, self.dimension))[..., :: self.stride, :].flatten(-2)

    def _shifted(self, state: Tensor, observation: Tensor) -> Tensor:
        return torch.cat([observation, state], dim=-1)[..., : self.state_size]


class Monomials(nn.Module):
    """All monomials of V variables with degrees from 1 to a largest one, the variables themselves first.

    Attributes:
        terms: the variables of each monomial: (0, 0, 2) is v0² v2.
        count: number of monomials that are used; without those of even degree if `odd`.
    """

    def __init__(self, variables: int, degree: int, *, odd: bool = False) -> None:
        super().__init__()
        degrees = [list(combinations_with_replacement(range(variables), power)) for power in range(degree + 1)]
        stride = 2 if odd else 1
        self.terms = [term for terms in degrees[1::stride] for term in terms]
        self.count = len(self.terms)
        self.register_buffer("factors", _factors(self.terms, degree, variables), persistent=False)
        # dC phi / dv has the monomials m for which m v is used; m v has the derivative (1 + power of v in m) m.
        lower = [term for terms in degrees[:-1][::stride] for term in terms]
        index_of = {term: index for index, term in enumerate(self.terms)}
        raised = [[index_of[tuple(sorted((*term, v)))] for v in range(variables)] for term in lower]
        powers = [[1.0 + term.count(v) for v in range(variables)] for term in lower]
        self.register_buffer("lower_factors", _factors(lower, degree, variables), persistent=False)
        self.register_buffer("raised", torch.tensor(raised), persistent=False)
        self.register_buffer("powers", torch.tensor(powers), persistent=False)

    def values(self, variables: Tensor) -> Tensor:
        """Evaluate the monomials, `(..., V) -> (..., count)`."""
        return _products(variables, self.factors)

    def slopes(self, variables: Tensor, weight: Tensor) -> Tensor:
        """Return the derivatives of C phi by the variables, `(K, B, V), (K, D, count) -> (K, B, D, V)`.

        They are polynomials of one degree less, whose coefficients are those of C times powers. So the slopes of all
        monomials, `(K, B, count, V)`, are never computed.
        """
        seeds, batch, size = variables.shape
        coefficients = weight.mT.contiguous()[:, self.raised] * self.powers[..., None]  # (K, lower monomials, V, D)
        slopes = torch.bmm(_products(variables, self.lower_factors), coefficients.flatten(2))
        return slopes.view(seeds, batch, size, -1).mT


def _factors(terms: Sequence[tuple[int, ...]], degree: int, variables: int) -> Tensor:
    """Return the variables of each monomial, `(degree, monomials)`; V, the number of variables, stands for 1."""
    return torch.tensor([[*term, *[variables] * (degree - len(term))] for term in terms]).T.contiguous()


def _products(variables: Tensor, factors: Tensor) -> Tensor:
    """Multiply the variables of each monomial, `(..., V), (degree, monomials) -> (..., monomials)`."""
    padded = torch.cat([variables, torch.ones_like(variables[..., :1])], dim=-1)
    return reduce(torch.mul, [padded[..., index] for index in factors])


@hookimpl
def chaosbench_models() -> Iterable[type[ModelSpec]]:
    """Return the model."""
    return [NextGenerationReservoir]
