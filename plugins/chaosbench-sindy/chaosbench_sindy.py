"""Sparse identification of nonlinear dynamics for chaosbench: the model `sindy`, and its trainer `stlsq`."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations_with_replacement
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor, nn
from typing_extensions import override

from chaosbench import DataSpec, Forecaster, Map, ModelSpec, Source, TrainerSpec, TrainingStep, hookimpl
from chaosbench.data import Dataset
from chaosbench.errors import DataError
from chaosbench.models.neural_ode import runge_kutta_4
from chaosbench.seeds import seed_generator
from chaosbench.trainers import one_step_error

Form = Literal["flow", "map"]
_PAIRS = 256  # of neighbouring observations, on which the loss is measured


class SINDy(ModelSpec):
    """dx/dt = Xi theta(x), or x' = Xi theta(x): a sparse combination of all monomials up to a degree.

    The state is what is observed, in the system's own units, in which its equations are sparse. A flow is stepped by
    the classical Runge-Kutta method, `substeps` times per step of the data.

    Source:
        Brunton, Proctor and Kutz 2016, Proceedings of the National Academy of Sciences 113, 3932.
    """

    learning: ClassVar[str] = "sparse regression"
    kind: Literal["sindy"] = "sindy"
    degree: int = Field(2, ge=1)  # of the highest monomials
    form: Form = "flow"  # in continuous time, or from step to step
    substeps: int = Field(1, ge=1)  # Runge-Kutta steps per step, of a flow

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return Polynomial(self, dimension, len(seeds))


class Polynomial(Forecaster):
    """The K polynomials of `SINDy`; S = D."""

    resets = True

    def __init__(self, spec: SINDy, dimension: int, seeds: int) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = seeds, dimension, dimension
        self.form, self.substeps, self.degree = spec.form, spec.substeps, spec.degree
        self.terms = terms(dimension, spec.degree)
        self.coefficients = _fitted(torch.zeros(seeds, len(self.terms), dimension))  # Xi, per step of the data
        self.mean = _fitted(torch.zeros(seeds, 1, dimension))  # of what is observed
        self.deviation = _fitted(torch.ones(seeds, 1, dimension))

    def polynomial(self, state: Tensor) -> Tensor:
        """Xi theta(x), `(K, B, D) -> (K, B, D)`."""
        return torch.bmm(library(state, self.terms), self.coefficients)

    def step(self, state: Tensor) -> Tensor:
        """The polynomial's value, or the state after the polynomial's flow of one step."""
        if self.form == "map":
            return self.polynomial(state)
        for _ in range(self.substeps):
            (state,) = runge_kutta_4(lambda point: (self.polynomial(point[0]),), (state,), 1 / self.substeps)
        return state

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The derivative of the polynomial; of a flow the variational equation, stepped beside it."""
        if self.form == "map":
            return self._variation((state, tangents))
        for _ in range(self.substeps):
            state, tangents = runge_kutta_4(self._variation, (state, tangents), 1 / self.substeps)
        return state, tangents

    def observe(self, state: Tensor) -> Tensor:
        """The state in the units of the data."""
        shape = [self.seeds, *[1] * (state.dim() - 2), self.dimension]
        return (state - self.mean.view(shape)) / self.deviation.view(shape)

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """The observation in the system's units."""
        return observation * self.deviation + self.mean

    def _variation(self, point: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        state, tangents = point
        values, slopes = library_tangents(state, tangents, self.terms)
        return torch.bmm(values, self.coefficients), self.coefficients.mT[:, None] @ slopes


class STLSQ(TrainerSpec):
    """Sequentially thresholded least squares: regress, drop coefficients below a threshold, and again until none is.

    Of a flow, derivatives are finite differences of the training orbits. Of several thresholds the one with the best
    forecasts of the validation orbits is taken. Nothing is drawn: all seeds are the same.

    Source:
        Brunton, Proctor and Kutz 2016, Proceedings of the National Academy of Sciences 113, 3932; with a ridge, as in
        pysindy: Kaptanoglu et al. 2022, Journal of Open Source Software 7, 3994.
    """

    learning: ClassVar[str] = "sparse regression"
    kind: Literal["stlsq"] = "stlsq"
    thresholds: tuple[NonNegativeFloat, ...] = Field(
        (0.0, 0.01, 0.03, 0.1, 0.3, 1.0), min_length=1
    )  # [1 / system time]
    regularisation: float = Field(0.05, ge=0)  # of squared coefficients, as `alpha` of pysindy
    iterations: int = Field(20, ge=1)  # at most
    order: Literal[2, 4, 6] = 4  # of the finite differences
    smoothing: int | None = Field(None, ge=5)  # window of a cubic Savitzky-Golay filter before these [steps]
    horizon: int = Field(50, ge=1)  # [steps] of the forecasts that choose

    @torch.no_grad()
    @override
    def fit(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> Iterator[TrainingStep]:
        """The loss is the error of one step from random training observations."""
        assert isinstance(model, Polynomial), f"{type(model).__name__} is not sparse in a library"
        model.mean.copy_(data.mean.expand_as(model.mean))
        model.deviation.copy_(data.deviation.expand_as(model.deviation))
        candidates = [self._coefficients(model, data, threshold) for threshold in self.thresholds]
        best, error = candidates[0], torch.inf
        for candidate in candidates if len(candidates) > 1 else ():
            model.coefficients.copy_(candidate.expand_as(model.coefficients))
            found = self._validation_error(model, data)
            if found < error:
                best, error = candidate, found
        model.coefficients.copy_(best.expand_as(model.coefficients))
        windows = data.windows(_PAIRS, 1, [seed_generator(seed, "windows") for seed in seeds])
        yield TrainingStep(1, 1, one_step_error(model, windows), model, data)

    def check(self, data: Dataset) -> None:
        """Orbits must be long enough for derivatives, and a choice needs validation orbits."""
        least = max(self.order + 1, self.smoothing or 0)
        if data.train.shape[1] <= least:
            raise DataError(f"training orbits of {data.train.shape[1]} steps are too short; {least} + 1 are needed")
        if len(self.thresholds) > 1 and data.validation[:, 1:].numel() == 0:
            raise DataError(
                f"{len(self.thresholds)} thresholds are chosen from by validation orbits, and there are none: "
                "set data.validation_orbits, or give one threshold"
            )

    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """A map has no derivatives."""
        if isinstance(model, SINDy) and model.form == "flow" and isinstance(system, Map):
            return f'{system.label} is a map and has no derivatives; set form = "map"'
        return super().incompatibility(system, data, model)

    def _coefficients(self, model: Polynomial, data: Dataset, threshold: float) -> Tensor:
        """Xi per step of the data, `(terms, D)`, of the training orbits in the system's units."""
        import pysindy  # takes a second

        orbits = (data.train.double() * data.deviation.double() + data.mean.double()).cpu().numpy()
        asked: dict[str, Any] = {"threshold": threshold, "alpha": self.regularisation, "max_iter": self.iterations}
        fitting = pysindy.SINDy(
            optimizer=pysindy.STLSQ(**asked),
            feature_library=pysindy.PolynomialLibrary(degree=model.degree),
            differentiation_method=self._differences(pysindy),
        )
        with warnings.catch_warnings():  # of thresholds that leave nothing, which the validation finds out
            warnings.simplefilter("ignore")
            if model.form == "map":
                fitting.fit([one[:-1] for one in orbits], t=1.0, x_dot=[one[1:] for one in orbits])
            else:
                fitting.fit(list(orbits), t=data.dt)
        time = 1.0 if model.form == "map" else data.dt
        return torch.from_numpy(fitting.coefficients().T.copy()).to(model.coefficients) * time

    def _differences(self, pysindy: Any) -> Any:
        if self.smoothing is None:
            return pysindy.FiniteDifference(order=self.order)
        smoother = {"window_length": self.smoothing, "polyorder": 3}
        return pysindy.SmoothedFiniteDifference(order=self.order, smoother_kws=smoother)

    def _validation_error(self, model: Polynomial, data: Dataset) -> float:
        """Mean squared error of forecasts from every `horizon`-th observation; infinite where one escapes."""
        orbits = data.validation
        horizon = min(self.horizon, orbits.shape[1] - 1)
        stretches = orbits.unfold(1, horizon + 1, horizon).flatten(0, 1).mT  # (B, horizon + 1, D)
        forecast, _ = model.predict(model.initial_state(stretches[:, 0].expand(model.seeds, -1, -1)), horizon)
        error = float((forecast[0] - stretches[:, 1:]).square().mean())
        return error if error < torch.inf else torch.inf


def terms(dimension: int, degree: int) -> list[tuple[int, ...]]:
    """The monomials up to that degree, constant first, each as the places of its factors: (0, 0, 2) is x0² x2."""
    return [term for power in range(degree + 1) for term in combinations_with_replacement(range(dimension), power)]


def library(state: Tensor, monomials: Sequence[tuple[int, ...]]) -> Tensor:
    """theta(x), `(..., D) -> (..., terms)`."""
    columns = [state.select(-1, place) for place in range(state.shape[-1])]
    grown: dict[tuple[int, ...], Tensor] = {(): torch.ones_like(columns[0])}
    for term in monomials[1:]:  # each is one of a degree lower, which came before, times its last factor
        grown[term] = grown[term[:-1]] * columns[term[-1]]
    return torch.stack([grown[term] for term in monomials], dim=-1)


def library_tangents(state: Tensor, tangents: Tensor, monomials: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    """theta(x) and its derivatives along tangents, `(..., D), (..., D, M) -> (..., terms), (..., terms, M)`."""
    values = library(state, monomials)
    slopes: dict[tuple[int, ...], Tensor] = {(): torch.zeros_like(tangents[..., 0, :])}
    place_of = {term: place for place, term in enumerate(monomials)}
    for term in monomials[1:]:
        lower, factor = term[:-1], term[-1]
        grown = slopes[lower] * state[..., factor, None]
        slopes[term] = torch.addcmul(grown, values[..., place_of[lower], None], tangents[..., factor, :])
    return values, torch.stack([slopes[term] for term in monomials], dim=-2)


def _fitted(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values, requires_grad=False)


@hookimpl
def chaosbench_models() -> Iterable[type[ModelSpec]]:
    """The model."""
    return [SINDy]


@hookimpl
def chaosbench_trainers() -> Iterable[type[TrainerSpec]]:
    """Its trainer."""
    return [STLSQ]
