"""The error of the first steps of a forecast, relative to the size of both values (sMAPE)."""

from typing import ClassVar, Literal

from pydantic import PositiveInt
from torch import Tensor

from chaosbench.errors import unknown_name
from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, first_steps, like
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import ForecastMetric

Convention = Literal["m4", "dysts"]

_LARGEST = {"m4": 200.0, "dysts": 100.0}  # [percent]
_LEAST = 1e-10  # in the denominator, as published, so that two zeros have no error


def symmetric_percentage_error(
    forecast: ArrayT, truth: Array, *, steps: int | None = None, convention: Convention = "m4"
) -> ArrayT:
    """Return sMAPE, the mean over steps and dimensions of largest |x - y| / (|x| + |y|).

    It depends on where zero is, and any two values of different sign score the largest error. Scores compare only in
    the same units and on the same scale.

    Args:
        forecast: `(..., T, D)`; index 0 is one step past the last observation; numpy array or tensor.
        truth: `(..., T, D)`, leading axes broadcast.
        steps: number of first steps to score [steps]; None: all.
        convention: the scale. "m4": 0 to 200. "dysts": 0 to 100, half of that.

    Returns:
        `(...)` [percent], of the kind of `forecast`; NaN where the forecast is NaN within these steps.

    Source:
        Makridakis 1993, International Journal of Forecasting 9, 527, and the M4 competition, "m4"; Gilpin 2021, NeurIPS
        (arXiv 2110.05266), "dysts".
    """
    if convention not in _LARGEST:
        raise unknown_name("convention", convention, _LARGEST)
    predicted, actual = as_tensors(forecast, truth)
    predicted, actual = first_steps(predicted, actual, steps, name="symmetric_percentage_error")
    shares = (predicted - actual).abs() / (predicted.abs() + actual.abs() + _LEAST)
    return like(_LARGEST[convention] * shares.mean((-2, -1)), forecast)


class SymmetricPercentageError(ForecastMetric):
    """Symmetric mean absolute percentage error over the first steps, sMAPE (Makridakis 1993), in standardised units.

    The default is two periods of 100 steps, the horizon of Gilpin 2021, NeurIPS.
    """

    unit: ClassVar[str] = "percent"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["symmetric_percentage_error"] = "symmetric_percentage_error"
    steps: PositiveInt = 200  # [steps], number of first steps to score
    convention: Convention = "m4"  # 0 to 200; "dysts": 0 to 100

    @property
    def least_horizon(self) -> int:
        """`steps`, the scored length of short forecasts [steps]."""
        return self.steps

    def each_condition(self, evaluation: Evaluation) -> Tensor:
        """Return the error of each forecast, `(K, C)` [percent]; NaN where it is not finite by then."""
        return symmetric_percentage_error(
            evaluation.forecast, evaluation.future, steps=self.steps, convention=self.convention
        )
