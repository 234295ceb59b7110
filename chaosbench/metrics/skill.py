"""Forecasts measured against the best that can be: the system itself, run from what is known of its state."""

from typing import ClassVar, Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor

from chaosbench.metrics.base import Evaluation, MetricSpec
from chaosbench.metrics.valid_prediction_time import valid_prediction_time

_SIGNIFICANT = 3.09  # standard deviations; one in a thousand evaluations of a perfect model passes it by chance


class Skill(MetricSpec):
    """Valid prediction time over that of the twin, median over the conditions: 1 is as good as can be.

    The twin is the true system run from the same condition, perturbed by the observation noise or else by the rounding
    of the data's precision, whichever is larger. It takes the place of the textbook limit ln(threshold / error) /
    lambda_1, which many conditions exceed and more fall short of.
    """

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    kind: Literal["skill"] = "skill"
    threshold: PositiveFloat = 0.4  # error in standard deviations of the training data

    def score(self, evaluation: Evaluation) -> Tensor:
        """`(K,)`; NaN, for the floor as well, for measured data, whose twin nobody can run."""
        if evaluation.twins is None:
            return evaluation.forecast.new_full((len(evaluation.forecast),), torch.nan)
        own, ceiling = valid_times(evaluation, self.threshold)
        return (own / ceiling.clamp(min=evaluation.dt)).quantile(0.5, dim=-1)


def valid_times(evaluation: Evaluation, threshold: float) -> tuple[Tensor, Tensor]:
    """Valid prediction times of the models, `(K, C)`, and of the twins, `(C,)` [system time].

    Raises:
        ValueError: where there are no twins.
    """
    if evaluation.twins is None:
        raise ValueError("a measured series has no twins: nobody can run its system again")

    def valid(forecast: Tensor) -> Tensor:
        return valid_prediction_time(
            forecast, evaluation.future, dt=evaluation.dt, threshold=threshold, scale=evaluation.scale
        )

    return valid(evaluation.forecast), valid(evaluation.twins)


def too_good_to_be_true(evaluation: Evaluation, *, threshold: float = 0.4) -> Tensor:
    """Which seeds outlast the twin in significantly more conditions than not, `(K,)`: a leak, or test data learned.

    A sign test over the conditions; where there are no twins, none does. Meant for data without noise: of noisy
    observations a filter may know more than the twin, which starts from a single one.
    """
    if evaluation.twins is None:
        return torch.zeros(len(evaluation.forecast), dtype=torch.bool)
    own, ceiling = valid_times(evaluation, threshold)
    longer, shorter = (own > ceiling).sum(dim=-1), (own < ceiling).sum(dim=-1)
    return (longer - shorter) > _SIGNIFICANT * (longer + shorter).clamp(min=1).sqrt()
