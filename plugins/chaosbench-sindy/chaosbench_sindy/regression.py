"""The trainer: sequentially thresholded least squares by pysindy, on derivatives of the training orbits."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor
from typing_extensions import override

from chaosbench import DataError, Dataset, DataSpec, Forecaster, Map, ModelSpec, Source, TrainerSpec, TrainingStep
from chaosbench.seeds import seed_generator
from chaosbench.trainers import one_step_error
from chaosbench_sindy.model import Polynomial, SINDy
from chaosbench_sindy.monomials import condensed, library

_PAIRS = 256  # pairs of successive observations on which the loss is computed
_LARGEST = 100_000_000  # numbers in the monomials of all rows; larger regressions are condensed


class STLSQ(TrainerSpec):
    """Sequentially thresholded least squares: regress, drop coefficients below a threshold, repeat until none is left.

    Derivatives of a flow are finite differences of the training orbits. Among several thresholds, the one with the
    best forecasts of the validation orbits is chosen. Nothing is random: all seeds are the same.

    Source:
        Brunton, Proctor and Kutz 2016, Proceedings of the National Academy of Sciences 113, 3932; with a ridge, as in
        pysindy: Kaptanoglu et al. 2022, Journal of Open Source Software 7, 3994.
    """

    learning: ClassVar[str] = "sparse regression"
    draws_rows: ClassVar[bool] = False  # whether regressions see parts of the rows
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
        orbits = data.train.double() * data.deviation.double() + data.mean.double()
        features, targets = (rows.cpu().numpy() for rows in self.rows(model, orbits, data.dt))
        best: tuple[Tensor, Tensor] | None = None
        least = torch.full((model.seeds,), torch.inf, dtype=torch.float64)
        for threshold in self.thresholds:
            coefficients, inclusion = self.regress(features, targets, threshold, seeds)
            self._set(model, coefficients, inclusion, data)
            error = self._validation_error(model, data) if len(self.thresholds) > 1 else least
            better = (error < least).view(-1, 1, 1)
            old = best or (coefficients, inclusion)
            best = torch.where(better, coefficients, old[0]), torch.where(better, inclusion, old[1])
            least = torch.minimum(least, error)
        assert best is not None
        self._set(model, *best, data)
        windows = data.windows(_PAIRS, 1, [seed_generator(seed, "windows") for seed in seeds])
        yield TrainingStep(1, 1, one_step_error(model, windows), model, data)

    def rows(self, model: Polynomial, orbits: Tensor, dt: float) -> tuple[Tensor, Tensor]:
        """Return the regression problem: monomials, `(rows, terms)`, and derivatives or next observations, `(rows, D)`.

        Where the monomials of all observations are many, fewer rows with the same solutions stand for them.

        Args:
            orbits: training orbits, `(N, T, D)` float64 [the system's units].
            dt: time per step [system time].
        """
        if model.form == "map":
            points, targets = orbits[:, :-1], orbits[:, 1:]
        else:
            points, targets = orbits, self.derivatives(orbits, dt)
        points, targets = points.flatten(0, 1), targets.flatten(0, 1)
        if len(points) * len(model.terms) > _LARGEST and not self.draws_rows:
            return condensed(points, targets, model.terms)
        return library(points, model.terms), targets

    def derivatives(self, orbits: Tensor, dt: float) -> Tensor:
        """Estimate the derivatives of orbits by pysindy's finite differences, `(N, T, D)` [1 / system time]."""
        import pysindy  # here, because the import takes a second

        differences = pysindy.FiniteDifference(order=self.order)
        if self.smoothing is not None:
            smoother = {"window_length": self.smoothing, "polyorder": 3}
            differences = pysindy.SmoothedFiniteDifference(order=self.order, smoother_kws=smoother)
        return torch.stack([torch.from_numpy(differences(orbit.cpu().numpy(), dt).copy()) for orbit in orbits])

    def regress(self, features: Any, targets: Any, threshold: float, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return Xi and the inclusion probability of each term, both `(K, terms, D)` [1 / system time].

        Args:
            features: monomials, numpy `(rows, terms)`.
            targets: derivatives or next observations, numpy `(rows, D)`.
            threshold: smallest coefficient that is kept.
            seeds: for whatever is random.
        """
        coefficients = self.solution(features, targets, threshold).expand(len(seeds), -1, -1)
        return coefficients, (coefficients != 0).double()

    def solution(self, features: Any, targets: Any, threshold: float) -> Tensor:
        """Return Xi of one regression by pysindy, `(terms, D)`."""
        import pysindy

        optimizer = pysindy.STLSQ(threshold=threshold, alpha=self.regularisation, max_iter=self.iterations)
        with warnings.catch_warnings():  # about thresholds that drop every term; validation rejects those
            warnings.simplefilter("ignore")
            optimizer.fit(features, targets)
        return torch.from_numpy(optimizer.coef_.T.copy())

    @override
    def check(self, data: Dataset) -> None:
        """Check that orbits are long enough for derivatives, and that there are validation orbits to choose by."""
        least = self.shortest
        if data.train.shape[1] <= least:
            raise DataError(f"training orbits of {data.train.shape[1]} steps are too short; the least is {least + 1}")
        if len(self.thresholds) > 1 and data.validation[:, 1:].numel() == 0:
            raise DataError(
                f"choosing among {len(self.thresholds)} thresholds needs validation orbits, and there are none; "
                "set data.validation_orbits, or give one threshold"
            )

    @property
    def shortest(self) -> int:
        """The length that training orbits must exceed [steps]."""
        return max(self.order + 1, self.smoothing or 0)

    @override
    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """Reject a flow model of a map, which has no derivatives."""
        if isinstance(model, SINDy) and model.form == "flow" and isinstance(system, Map):
            return f'{system.label} is a map and has no derivatives; set form = "map"'
        return super().incompatibility(system, data, model)

    def _set(self, model: Polynomial, coefficients: Tensor, inclusion: Tensor, data: Dataset) -> None:
        """Set the coefficients per step of the data."""
        time = 1.0 if model.form == "map" else data.dt
        model.coefficients.copy_(coefficients * time)
        model.inclusion.copy_(inclusion)

    def _validation_error(self, model: Polynomial, data: Dataset) -> Tensor:
        """Return the mean squared error of forecasts from every `horizon`-th observation, `(K,)`; infinite if one
        diverges.
        """
        orbits = data.validation
        horizon = min(self.horizon, orbits.shape[1] - 1)
        windows = orbits.unfold(1, horizon + 1, horizon).flatten(0, 1).mT  # (B, horizon + 1, D)
        forecast, _ = model.predict(model.initial_state(windows[:, :1].expand(model.seeds, -1, -1, -1)), horizon)
        error = (forecast - windows[:, 1:]).double().square().mean(dim=(1, 2, 3)).cpu()
        return error.nan_to_num(torch.inf)
