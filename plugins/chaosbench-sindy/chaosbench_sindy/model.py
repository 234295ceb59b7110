"""The model: a polynomial vector field, or a polynomial map."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench import Forecaster, ModelSpec, Trait
from chaosbench.models import parameter_without_gradient, runge_kutta_4
from chaosbench_sindy.monomials import library, library_tangents, terms

Form = Literal["flow", "map"]


class SINDy(ModelSpec):
    """dx/dt = Xi theta(x), or x' = Xi theta(x): a sparse combination of all monomials up to a degree.

    The state is the observation in the system's own units, in which its equations are sparse. A flow is integrated by
    `substeps` classical Runge-Kutta steps per step of the data.

    Source:
        Brunton, Proctor and Kutz 2016, Proceedings of the National Academy of Sciences 113, 3932.
    """

    learning: ClassVar[str] = "sparse regression"
    kind: Literal["sindy"] = "sindy"
    degree: int = Field(2, ge=1)  # of the highest monomials
    form: Form = "flow"  # continuous time, or step to step
    substeps: int = Field(1, ge=1)  # Runge-Kutta steps of a flow per step of the data

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return Polynomial(self, dimension, len(seeds))


class Polynomial(Forecaster):
    """The K polynomials of `SINDy`; S = D."""

    resets = True
    inclusion: Tensor  # share of an ensemble's equations that contain the term; 0 or 1 without an ensemble

    def __init__(self, spec: SINDy, dimension: int, seeds: int) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = seeds, dimension, dimension
        self.form, self.substeps, self.degree = spec.form, spec.substeps, spec.degree
        self.terms = terms(dimension, spec.degree)
        # Xi per step of the data; mean and standard deviation of the observables in the system's units
        self.coefficients = parameter_without_gradient(torch.zeros(seeds, len(self.terms), dimension))
        self.mean = parameter_without_gradient(torch.zeros(seeds, 1, dimension))
        self.deviation = parameter_without_gradient(torch.ones(seeds, 1, dimension))
        self.register_buffer("inclusion", torch.zeros(seeds, len(self.terms), dimension))

    def polynomial(self, state: Tensor) -> Tensor:
        """Compute Xi theta(x), `(K, B, D) -> (K, B, D)`."""
        return torch.bmm(library(state, self.terms), self.coefficients)

    @override
    def step(self, state: Tensor) -> Tensor:
        """Evaluate the polynomial (map), or integrate it over one step of the data (flow)."""
        if self.form == "map":
            return self.polynomial(state)
        for _ in range(self.substeps):
            (state,) = runge_kutta_4(lambda point: (self.polynomial(point[0]),), (state,), 1 / self.substeps)
        return state

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Differentiate the polynomial (map), or integrate the variational equation with it (flow)."""
        if self.form == "map":
            return self._variation((state, tangents))
        for _ in range(self.substeps):
            state, tangents = runge_kutta_4(self._variation, (state, tangents), 1 / self.substeps)
        return state, tangents

    @override
    def observe(self, state: Tensor) -> Tensor:
        """Standardise the state, as the data are."""
        shape = [self.seeds, *[1] * (state.dim() - 2), self.dimension]
        return (state - self.mean.view(shape)) / self.deviation.view(shape)

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """Convert the observation to the system's units."""
        return observation * self.deviation + self.mean

    @override
    def describe_dynamics(self, states: Tensor) -> dict[str, Trait]:
        """Report how many terms the equations have, and the inclusion probability of each, `(K, terms, D)`."""
        count = (self.coefficients != 0).flatten(1).sum(dim=1).to(self.coefficients)
        broken = self.coefficients.isnan().flatten(1).any(dim=1)
        return {"terms": Trait(count.masked_fill(broken, torch.nan)), "inclusion": Trait(self.inclusion)}

    @override
    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Complete weights of versions without ensembles, which stored no `inclusion`: it is 0 or 1 there."""
        coefficients = state_dict.get(f"{prefix}coefficients")
        if coefficients is not None:
            state_dict.setdefault(f"{prefix}inclusion", (coefficients != 0).to(coefficients))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _variation(self, point: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Return Xi theta(x) and its derivative along the tangents."""
        state, tangents = point
        values, slopes = library_tangents(state, tangents, self.terms)
        return torch.bmm(values, self.coefficients), self.coefficients.mT[:, None] @ slopes
