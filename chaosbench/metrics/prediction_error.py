"""The squared error of a forecast a fixed number of steps ahead."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import PositiveInt
from torch import Tensor

from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, first_steps, like
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import ForecastMetric


def prediction_error(forecast: ArrayT, truth: Array, *, steps: int = 20) -> ArrayT:
    """Return PE(n), the squared error n steps past the last observation, averaged over dimensions.

    Args:
        forecast: `(..., T, D)`; index 0 is one step past the last observation; numpy array or tensor.
        truth: `(..., T, D)`, leading axes broadcast.
        steps: n [steps].

    Returns:
        `(...)` [squared units of the series], of the kind of `forecast`; NaN where the forecast is NaN.

    Source:
        Hess et al. 2023, ICML (arXiv 2306.04406); Brenner et al. 2022, ICML (2207.02542).
    """
    predicted, actual = as_tensors(forecast, truth)
    last, followed = (part[..., -1, :] for part in first_steps(predicted, actual, steps, name="prediction_error"))
    return like((last - followed).square().mean(-1), forecast)


class PredictionError(ForecastMetric):
    """Mean squared error n steps ahead, PE(n), in squared standard deviations (Hess et al. 2023, ICML)."""

    unit: ClassVar[str] = "1"
    unordered: ClassVar[Mapping[str, str]] = {
        "shuffled": "it sees a single step, which is one unrelated state or another"
    }
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["prediction_error"] = "prediction_error"
    steps: PositiveInt = 20  # [steps]

    @property
    def least_horizon(self) -> int:
        """`steps`, the scored length of short forecasts [steps]."""
        return self.steps

    def each_condition(self, evaluation: Evaluation) -> Tensor:
        """Return the error of each forecast, `(K, C)`; NaN where it is not finite by then."""
        return prediction_error(evaluation.forecast, evaluation.future, steps=self.steps)
