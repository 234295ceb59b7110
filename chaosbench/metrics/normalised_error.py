"""The root mean squared error of the first steps of a forecast, in standard deviations (NRMSE)."""

from typing import ClassVar, Literal

from pydantic import PositiveInt
from torch import Tensor

from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, first_steps, like
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import ForecastMetric


def normalised_error(forecast: ArrayT, truth: Array, *, steps: int | None = None, scale: Array | None = None) -> ArrayT:
    """Return NRMSE, sqrt(mean over steps and dimensions of ((x - y) / sigma)²).

    Two unrelated orbits score sqrt(2).

    Args:
        forecast: `(..., T, D)`; index 0 is one step past the last observation; numpy array or tensor.
        truth: `(..., T, D)`, leading axes broadcast.
        steps: number of first steps to score [steps]; None: all.
        scale: `(D,)`, standard deviation of the training data; None: the truth's, over all but the last axis.

    Returns:
        `(...)` [standard deviations], of the kind of `forecast`; NaN where the forecast is NaN within these steps.

    Source:
        Gilpin 2021, NeurIPS (arXiv 2110.05266).
    """
    predicted, actual = as_tensors(forecast, truth)
    sigma = actual.flatten(0, -2).std(0, correction=0) if scale is None else as_tensors(predicted, scale)[1]
    predicted, actual = first_steps(predicted, actual, steps, name="normalised_error")
    return like(((predicted - actual) / sigma).square().mean((-2, -1)).sqrt(), forecast)


class NormalisedError(ForecastMetric):
    """Root mean squared error over the first steps, NRMSE, in standard deviations of the training data.

    Source: Gilpin 2021, NeurIPS. The default is two periods of 100 steps, the horizon there.
    """

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["normalised_error"] = "normalised_error"
    steps: PositiveInt = 200  # [steps], number of first steps to score

    @property
    def least_horizon(self) -> int:
        """`steps`, the scored length of short forecasts [steps]."""
        return self.steps

    def each_condition(self, evaluation: Evaluation) -> Tensor:
        """Return the error of each forecast, `(K, C)`; NaN where it is not finite by then."""
        return normalised_error(evaluation.forecast, evaluation.future, steps=self.steps, scale=evaluation.scale)
