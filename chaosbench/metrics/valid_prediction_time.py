"""The time for which a forecast is valid."""

from typing import ClassVar, Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor
from typing_extensions import override

from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, like
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import ForecastMetric


def valid_prediction_time(
    forecast: ArrayT, truth: Array, *, dt: float, threshold: float = 0.4, scale: Array | None = None
) -> ArrayT:
    """Return the time for which the normalised forecast error stays within `threshold` from the start.

    Args:
        forecast: `(..., T, D)`; index 0 is one step past the last observation; numpy array or tensor.
        truth: `(..., T, D)`, leading axes broadcast.
        dt: time per step [system time].
        threshold: error in units of the standard deviation, root mean square over dimensions.
        scale: `(D,)`, standard deviation of the training data; None: the truth's, over all but the last axis.

    Returns:
        `(...)` [system time], of the kind of `forecast`: zero where the first step exceeds it, the whole horizon
        where none does. NaN and infinity in a forecast count as an infinite error.

    Source:
        Vlachas et al. 2020, Neural Networks 126, 191.
    """
    predicted, actual = as_tensors(forecast, truth)
    sigma = _deviation(actual) if scale is None else as_tensors(predicted, scale)[1]
    difference = predicted - actual
    # 0 / 0 in a constant dimension is no error.
    relative = torch.where(difference == 0, 0.0, difference / sigma)
    valid = relative.square().mean(-1).sqrt() <= threshold
    return like(valid.to(actual.dtype).cumprod(-1).sum(-1) * dt, forecast)


def _deviation(truth: Tensor) -> Tensor:
    return truth.flatten(0, -2).std(0, correction=0)


class ValidPredictionTime(ForecastMetric):
    """Valid prediction time, median over the conditions (Vlachas et al. 2020, Neural Networks 126, 191)."""

    unit: ClassVar[str] = "Lyapunov times"
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    kind: Literal["valid_prediction_time"] = "valid_prediction_time"
    threshold: PositiveFloat = 0.4  # error in standard deviations of the training data

    def each_condition(self, evaluation: Evaluation) -> Tensor:
        """Return `(K, C)` [Lyapunov times]; NaN, for the floor as well, without a known positive exponent."""
        exponent = evaluation.largest_exponent or 0.0
        return self._steps(evaluation) * (evaluation.dt * (exponent if exponent > 0 else torch.nan))

    @override
    def average(self, scores: Tensor) -> Tensor:
        return scores.quantile(0.5, dim=-1)

    @override
    def details(self, evaluation: Evaluation) -> dict[str, Tensor]:
        """Return the default and the share of forecasts valid for the whole horizon, whose time is a lower bound."""
        censored = self._steps(evaluation) >= evaluation.future.shape[-2]
        return {**super().details(evaluation), "censored_share": censored.double().mean(-1)}

    def _steps(self, evaluation: Evaluation) -> Tensor:
        """Return the valid times of all conditions, `(K, C)` [steps]."""
        return valid_prediction_time(
            evaluation.forecast, evaluation.future, dt=1.0, threshold=self.threshold, scale=evaluation.scale
        )
