"""Metrics that score each test orbit by itself: of free runs, one from each orbit, and of forecasts, several."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from chaosbench.metrics.base import Evaluation, Judged, MetricSpec, median_over_runs


class FreeRunMetric(MetricSpec):
    """A metric of free runs: the score of a seed is the median over them."""

    judges: ClassVar[Judged] = "free_run"

    @property
    def joins_runs(self) -> bool:
        """True if all free runs of a seed are joined before they get one score."""
        return False

    @abstractmethod
    def each_run(self, evaluation: Evaluation) -> Tensor:
        """Return the score of each free run, `(K, R)`; NaN where it is undefined."""

    def score(self, evaluation: Evaluation) -> Tensor:
        """Return `(K,)`; a free run that is not finite counts as the worst."""
        return median_over_runs(self.each_run(evaluation), better=self.better)

    @override
    def score_with_orbits(self, evaluation: Evaluation) -> tuple[Tensor, Tensor | None]:
        runs = self.each_run(evaluation)
        return median_over_runs(runs, better=self.better), runs


class ForecastMetric(MetricSpec):
    """A metric of short forecasts: the score of a seed is the mean over them, unless `average` says otherwise."""

    judges: ClassVar[Judged] = "forecast"

    @abstractmethod
    def each_condition(self, evaluation: Evaluation) -> Tensor:
        """Return the score of each forecast, `(K, C)`; NaN where it is undefined."""

    def average(self, scores: Tensor) -> Tensor:
        """Return the average over the forecasts, `(K, C) -> (K,)`."""
        return scores.mean(-1)

    def score(self, evaluation: Evaluation) -> Tensor:
        """Return `(K,)`; NaN where the score of any forecast is undefined."""
        return self.average(self.each_condition(evaluation))

    @override
    def score_with_orbits(self, evaluation: Evaluation) -> tuple[Tensor, Tensor | None]:
        scores, orbits = self.each_condition(evaluation), evaluation.condition_orbits
        if orbits is None:
            return self.average(scores), None
        by_orbit = [self.average(scores[:, orbits == orbit]) for orbit in orbits.unique()]
        return self.average(scores), torch.stack(by_orbit, dim=1)
