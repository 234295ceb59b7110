"""Ridge regression of the read-out: one linear solve, no gradient."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.data import Dataset, DataSpec
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.regression import RegressionForecaster
from chaosbench.seeds import seed_generator
from chaosbench.source import Source
from chaosbench.trainers.base import TrainerSpec, TrainingStep, check_window, window_too_long

_CHUNK = 1024  # regressors of a seed that are in memory at once; fewer would make products of matrices slow
_DRAWN = 32  # steps whose noise is drawn at once, on which the numbers depend


class Ridge(TrainerSpec):
    """C and d of x' = C phi + d minimise mean |C phi + d - x'|² + regularisation |C|², in double precision.

    The training orbits drive the model from an empty state; the first `warm_up` steps of each do not count. Noise on
    the driving observations, but not on the targets, teaches the model to return to the attractor.

    Source:
        Jaeger 2001, GMD Report 148; noise: Vlachas, Pathak, Hunt, Sapsis, Girvan, Ott and Koumoutsakos 2020, Neural
        Networks 126, 191, where it is 1 % of a standard deviation; the default here is small enough for maps, too.
    """

    learning: ClassVar[str] = "regression"
    kind: Literal["ridge"] = "ridge"
    regularisation: float = Field(1e-8, gt=0)  # of squared weights, relative to the error of standardised observations
    warm_up: int = Field(100, ge=0)  # [steps]
    noise: float = Field(1e-3, ge=0)  # on the driving observations [standard deviations, if data are standardised]

    @torch.no_grad()
    @override
    def fit(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> Iterator[TrainingStep]:
        """Fit the read-out, and yield once; the loss is the error of one step over all training orbits."""
        assert isinstance(model, RegressionForecaster), f"{type(model).__name__} has no read-out for a regression"
        exact, orbits = deepcopy(model).double(), data.train.double()
        exact.sample_features(orbits, [seed_generator(seed, "sampling") for seed in seeds])
        readout = Regression(self.regularisation)
        for responses, targets in self._driven(exact, orbits, [seed_generator(seed, "noise") for seed in seeds]):
            readout.add(responses, targets)
        weight, offset = readout.solution()
        exact.set_readout(weight, offset)
        model.load_state_dict(exact.state_dict())
        yield TrainingStep(1, 1, self._error(model, data.train, weight, offset), model, data)

    def _error(self, model: RegressionForecaster, orbits: Tensor, weight: Tensor, offset: Tensor) -> Tensor:
        """Return the mean squared error of one step along orbits without noise, `(K,)`."""
        weight, offset, total, count = weight.to(orbits), offset.to(orbits), orbits.new_zeros(len(weight)).double(), 0
        for responses, targets in self._driven(model, orbits, [None] * model.seeds):
            error = torch.baddbmm(offset, responses, weight.mT) - targets
            total, count = total + error.double().square().sum((1, 2)), count + error[0].numel()
        return (total / count).to(orbits.dtype)

    @override
    def check(self, data: Dataset) -> None:
        check_window(data, self.warm_up + 1)

    @override
    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        reason = window_too_long("warm_up + 1", self.warm_up + 1, system, data)
        return reason or super().incompatibility(system, data, model)

    def _driven(
        self, model: RegressionForecaster, orbits: Tensor, generators: Sequence[Generator | None]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Drive the model with the orbits; yield chunks of time, without the warm-up.

        Args:
            generators: one per seed for noise on the driving observations; None: no noise.

        Yields:
            Responses `(K, N chunk, F)` and targets `(K, N chunk, D)`.
        """
        state = orbits.new_zeros(len(generators), len(orbits), model.state_size)
        chunk = max(1, _CHUNK // (_DRAWN * len(orbits))) * _DRAWN
        for begin in range(0, orbits.shape[1] - 1, chunk):
            inputs, targets = (orbits[:, begin + d : begin + d + chunk] for d in (0, 1))
            inputs = inputs[:, : targets.shape[1]]
            driving = torch.stack([self._disturbed(inputs, generator) for generator in generators])
            state, responses = model.drive_along(state, driving)
            parts = responses, targets.expand(len(generators), -1, -1, -1)
            if begin + targets.shape[1] > self.warm_up:
                after = max(0, self.warm_up - begin)
                yield parts[0][:, :, after:].flatten(1, 2), parts[1][:, :, after:].flatten(1, 2)

    def _disturbed(self, observations: Tensor, generator: Generator | None) -> Tensor:
        """Add one seed's noise to observations `(N, chunk, D)`; draw none if the noise is zero."""
        if self.noise == 0 or generator is None:
            return observations
        orbits, steps, dimension = observations.shape
        sizes = [min(_DRAWN, steps - begin) for begin in range(0, steps, _DRAWN)]
        draws = [torch.randn(size, orbits, dimension, dtype=torch.float64, generator=generator) for size in sizes]
        return observations + self.noise * torch.cat(draws).transpose(0, 1).to(observations)


class Regression:
    """Linear regression with an offset for K seeds at once, by normal equations to which data are added in chunks.

    Source:
        Hoerl and Kennard 1970, Technometrics 12, 55.
    """

    def __init__(self, regularisation: float) -> None:
        self.regularisation, self.pairs = regularisation, 0
        self._gram = self._moment = torch.zeros(())  # sums of (phi, 1)(phi, 1)ᵀ and of (phi, 1) yᵀ

    def add(self, regressors: Tensor, targets: Tensor) -> None:
        """Add pairs of regressors `(K, B, F)` and targets `(K, B, D)`."""
        phi = torch.cat([regressors, torch.ones_like(regressors[..., :1])], dim=-1)
        self.pairs += phi.shape[1]
        if self._gram.ndim == 0:
            self._gram, self._moment = phi.mT @ phi, phi.mT @ targets
        else:  # in place: with thousands of regressors a sum of two of these takes longer than the product
            self._gram.baddbmm_(phi.mT, phi)
            self._moment.baddbmm_(phi.mT, targets)

    def solution(self) -> tuple[Tensor, Tensor]:
        """Return weights `(K, D, F)` and offsets `(K, 1, D)`; NaN only for the seeds with NaN in their data."""
        penalty = self.regularisation * self.pairs * torch.eye(self._gram.shape[-1]).to(self._gram)
        penalty[-1, -1] = 0  # the offset is not penalised
        solution, _ = torch.linalg.solve_ex(self._gram + penalty, self._moment)  # `solve` would raise
        return solution[:, :-1].mT, solution[:, -1:]
