"""Forecast skill relative to the predictability limit: the true system run from an uncertain initial state."""

from typing import ClassVar, Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor
from typing_extensions import override

from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import ForecastMetric
from chaosbench.metrics.valid_prediction_time import valid_prediction_time

_SIGNIFICANT = 3.09  # standard deviations; one in a thousand evaluations of a perfect model exceeds it by chance


class Skill(ForecastMetric):
    """Valid prediction time relative to that of the twin, median over the conditions; 1 is the best possible.

    The twin is the true system run from the same condition, perturbed by the larger of the observation noise and
    the rounding of the data's precision. It replaces the textbook limit ln(threshold / error) / lambda_1, because the
    actual limit varies widely between conditions.
    """

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    kind: Literal["skill"] = "skill"
    threshold: PositiveFloat = 0.4  # error in standard deviations of the training data

    def each_condition(self, evaluation: Evaluation) -> Tensor:
        """Return `(K, C)`; NaN, for the floor as well, for recorded series, which have no twin."""
        if evaluation.twins is None:
            return evaluation.forecast.new_full(evaluation.forecast.shape[:2], torch.nan)
        own, ceiling = valid_times(evaluation, self.threshold)
        return own / ceiling.clamp(min=evaluation.dt)

    @override
    def average(self, scores: Tensor) -> Tensor:
        return scores.quantile(0.5, dim=-1)

    @override
    def details(self, evaluation: Evaluation) -> dict[str, Tensor]:
        """Return the default and the share of conditions in which model or twin is valid to the end of the horizon."""
        if evaluation.twins is None:
            return super().details(evaluation)
        own, ceiling = valid_times(evaluation, self.threshold)
        # Half a step of tolerance for the rounding of times.
        censored = torch.maximum(own, ceiling.expand_as(own)) > (evaluation.future.shape[-2] - 0.5) * evaluation.dt
        return {**super().details(evaluation), "censored_share": censored.double().mean(-1)}


def valid_times(evaluation: Evaluation, threshold: float) -> tuple[Tensor, Tensor]:
    """Return the valid prediction times of the models, `(K, C)`, and of the twins, `(C,)` [system time].

    Raises:
        ValueError: where there are no twins.
    """
    if evaluation.twins is None:
        raise ValueError("a recorded series has no twins, because its system cannot be run again")

    def valid(forecast: Tensor) -> Tensor:
        return valid_prediction_time(
            forecast, evaluation.future, dt=evaluation.dt, threshold=threshold, scale=evaluation.scale
        )

    return valid(evaluation.forecast), valid(evaluation.twins)


def too_good_to_be_true(evaluation: Evaluation, *, threshold: float = 0.4) -> Tensor:
    """Detect seeds that outlast the twin in significantly more conditions than not, a sign that test data leaked.

    This is a sign test over the conditions, meant for data without noise: a filter of noisy observations may know the
    state better than the twin, which starts from a single observation.

    Returns:
        `(K,)` bool; false where there are no twins.
    """
    if evaluation.twins is None:
        return torch.zeros(len(evaluation.forecast), dtype=torch.bool)
    own, ceiling = valid_times(evaluation, threshold)
    longer, shorter = (own > ceiling).sum(dim=-1), (own < ceiling).sum(dim=-1)
    return (longer - shorter) > _SIGNIFICANT * (longer + shorter).clamp(min=1).sqrt()
