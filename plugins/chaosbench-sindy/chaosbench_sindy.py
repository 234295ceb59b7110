"""Sparse identification of nonlinear dynamics for chaosbench: the model `sindy`, and its trainer `stlsq`."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations_with_replacement
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor
from typing_extensions import override

from chaosbench import (
    DataError,
    Dataset,
    DataSpec,
    Forecaster,
    Map,
    ModelSpec,
    Source,
    TrainerSpec,
    TrainingStep,
    hookimpl,
)
from chaosbench.models import parameter_without_gradient, runge_kutta_4
from chaosbench.seeds import seed_generator
from chaosbench.trainers import one_step_error

Form = Literal["flow", "map"]
_PAIRS = 256  # pairs of successive observations on which the loss is computed


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

    def __init__(self, spec: SINDy, dimension: int, seeds: int) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = seeds, dimension, dimension
        self.form, self.substeps, self.degree = spec.form, spec.substeps, spec.degree
        self.terms = terms(dimension, spec.degree)
        # Xi per step of the data; mean and standard deviation of the observables in the system's units
        self.coefficients = parameter_without_gradient(torch.zeros(seeds, len(self.terms), dimension))
        self.mean = parameter_without_gradient(torch.zeros(seeds, 1, dimension))
        self.deviation = parameter_without_gradient(torch.ones(seeds, 1, dimension))

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

    def _variation(self, point: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Return Xi theta(x) and its derivative along the tangents."""
        state, tangents = point
        values, slopes = library_tangents(state, tangents, self.terms)
        return torch.bmm(values, self.coefficients), self.coefficients.mT[:, None] @ slopes


class STLSQ(TrainerSpec):
    """Sequentially thresholded least squares: regress, drop coefficients below a threshold, repeat until none is left.

    Derivatives of a flow are finite differences of the training orbits. Among several thresholds, the one with the
    best forecasts of the validation orbits is chosen. Nothing is random: all seeds are the same.

    Source:
        Brunton, Proctor and Kutz 2016, Proceedings of the National Academy of Sciences 113, 3932; with a ridge, as in
        pysindy: Kaptanoglu et al. 2022, Journal of Open Source Software 7, 3994.
    """

    learning: ClassVar[str] = "sparse regression"
    kind: Literal["stlsq"] = "stlsq"
    thresholds: tuple[NonNegativeFloat, ...] = Field(
        (0.0, 0.01, 0.03, 0.1, 0.3, 1.0), min_length=1
    )  # [1 / system time]
    regularisation: float = Field(0.05, ge=0)  # weight of squared coefficients, `alpha` in pysindy
    iterations: int = Field(20, ge=1)  # largest number of regressions
    order: Literal[2, 4, 6] = 4  # of the finite differences
    smoothing: int | None = Field(None, ge=5)  # window of a cubic Savitzky-Golay filter before the differences [steps]
    horizon: int = Field(50, ge=1)  # length of the forecasts that choose the threshold [steps]

    @torch.no_grad()
    @override
    def fit(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> Iterator[TrainingStep]:
        """Fit all seeds at once; the loss is the one-step error on random training observations."""
        assert isinstance(model, Polynomial), f"{type(model).__name__} is not a Polynomial"
        model.mean.copy_(data.mean.expand_as(model.mean))
        model.deviation.copy_(data.deviation.expand_as(model.deviation))
        candidates = [self._coefficients(model, data, threshold) for threshold in self.thresholds]
        best, error = candidates[0], torch.inf
        for candidate in candidates if len(candidates) > 1 else ():
            model.coefficients.copy_(candidate.expand_as(model.coefficients))
            candidate_error = self._validation_error(model, data)
            if candidate_error < error:
                best, error = candidate, candidate_error
        model.coefficients.copy_(best.expand_as(model.coefficients))
        windows = data.windows(_PAIRS, 1, [seed_generator(seed, "windows") for seed in seeds])
        yield TrainingStep(1, 1, one_step_error(model, windows), model, data)

    @override
    def check(self, data: Dataset) -> None:
        """Check that orbits are long enough for derivatives, and that there are validation orbits to choose by."""
        least = max(self.order + 1, self.smoothing or 0)
        if data.train.shape[1] <= least:
            raise DataError(f"training orbits of {data.train.shape[1]} steps are too short; the least is {least + 1}")
        if len(self.thresholds) > 1 and data.validation[:, 1:].numel() == 0:
            raise DataError(
                f"choosing among {len(self.thresholds)} thresholds needs validation orbits, and there are none; "
                "set data.validation_orbits, or give one threshold"
            )

    @override
    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """Reject a flow model of a map, which has no derivatives."""
        if isinstance(model, SINDy) and model.form == "flow" and isinstance(system, Map):
            return f'{system.label} is a map and has no derivatives; set form = "map"'
        return super().incompatibility(system, data, model)

    def _coefficients(self, model: Polynomial, data: Dataset, threshold: float) -> Tensor:
        """Fit Xi per step of the data, `(terms, D)`, to the training orbits in the system's units."""
        import pysindy  # here, because the import takes a second

        orbits = (data.train.double() * data.deviation.double() + data.mean.double()).cpu().numpy()
        settings: dict[str, Any] = {"threshold": threshold, "alpha": self.regularisation, "max_iter": self.iterations}
        regression = pysindy.SINDy(
            optimizer=pysindy.STLSQ(**settings),
            feature_library=pysindy.PolynomialLibrary(degree=model.degree),
            differentiation_method=self._differences(pysindy),
        )
        with warnings.catch_warnings():  # about thresholds that drop every term; validation rejects those
            warnings.simplefilter("ignore")
            if model.form == "map":
                regression.fit([orbit[:-1] for orbit in orbits], t=1.0, x_dot=[orbit[1:] for orbit in orbits])
            else:
                regression.fit(list(orbits), t=data.dt)
        time = 1.0 if model.form == "map" else data.dt
        return torch.from_numpy(regression.coefficients().T.copy()).to(model.coefficients) * time

    def _differences(self, pysindy: Any) -> Any:
        if self.smoothing is None:
            return pysindy.FiniteDifference(order=self.order)
        smoother = {"window_length": self.smoothing, "polyorder": 3}
        return pysindy.SmoothedFiniteDifference(order=self.order, smoother_kws=smoother)

    def _validation_error(self, model: Polynomial, data: Dataset) -> float:
        """Return the mean squared error of forecasts from every `horizon`-th observation; infinite if one diverges."""
        orbits = data.validation
        horizon = min(self.horizon, orbits.shape[1] - 1)
        windows = orbits.unfold(1, horizon + 1, horizon).flatten(0, 1).mT  # (B, horizon + 1, D)
        forecast, _ = model.predict(model.initial_state(windows[:, :1].expand(model.seeds, -1, -1, -1)), horizon)
        error = float((forecast[0] - windows[:, 1:]).square().mean())
        return error if error < torch.inf else torch.inf


def terms(dimension: int, degree: int) -> list[tuple[int, ...]]:
    """List the monomials up to a degree, constant first, each by the indices of its factors: (0, 0, 2) is x0² x2."""
    return [term for power in range(degree + 1) for term in combinations_with_replacement(range(dimension), power)]


def library(state: Tensor, monomials: Sequence[tuple[int, ...]]) -> Tensor:
    """Evaluate theta(x), `(..., D) -> (..., terms)`."""
    columns = [state.select(-1, index) for index in range(state.shape[-1])]
    products: dict[tuple[int, ...], Tensor] = {(): torch.ones_like(columns[0])}
    for term in monomials[1:]:  # each is an earlier monomial times its last factor
        products[term] = products[term[:-1]] * columns[term[-1]]
    return torch.stack([products[term] for term in monomials], dim=-1)


def library_tangents(state: Tensor, tangents: Tensor, monomials: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    """Return theta(x) and its tangents, `(..., D), (..., D, M) -> (..., terms), (..., terms, M)`."""
    values = library(state, monomials)
    slopes: dict[tuple[int, ...], Tensor] = {(): torch.zeros_like(tangents[..., 0, :])}
    index_of = {term: index for index, term in enumerate(monomials)}
    for term in monomials[1:]:
        lower, factor = term[:-1], term[-1]
        grown = slopes[lower] * state[..., factor, None]
        slopes[term] = torch.addcmul(grown, values[..., index_of[lower], None], tangents[..., factor, :])
    return values, torch.stack([slopes[term] for term in monomials], dim=-2)


@hookimpl
def chaosbench_models() -> Iterable[type[ModelSpec]]:
    """Return the model."""
    return [SINDy]


@hookimpl
def chaosbench_trainers() -> Iterable[type[TrainerSpec]]:
    """Return its trainer."""
    return [STLSQ]
