"""The error of the first steps of a forecast, relative to the error of the naive forecast (MASE)."""

from typing import ClassVar, Literal

from pydantic import PositiveInt
from torch import Tensor

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, first_steps, like
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import ForecastMetric


def scaled_error(forecast: ArrayT, truth: Array, *, history: Array, lag: int = 1, steps: int | None = None) -> ArrayT:
    """Return MASE, the mean absolute error over that of the naive forecast x(t) = x(t - lag).

    The ratio is averaged over dimensions.

    Args:
        forecast: `(..., T, D)`; index 0 is one step past the last observation; numpy array or tensor.
        truth: `(..., T, D)`, leading axes broadcast.
        history: `(..., T', D)`, true series that give the error of the naive forecast, averaged over all axes but the
            last; never the model's own.
        lag: lag of the naive forecast [steps].
        steps: number of first steps to score [steps]; None: all.

    Returns:
        `(...)` [1], of the kind of `forecast`; NaN where the forecast is NaN within these steps.

    Source:
        Hyndman and Koehler 2006, International Journal of Forecasting 22, 679.
    """
    predicted, actual, past = as_tensors(forecast, truth, history)
    if not 1 <= lag < past.shape[-2]:
        raise ChaosbenchError(
            f"scaled_error needs a lag shorter than its history of {past.shape[-2]} steps, not {lag}; "
            f"choose 1 to {past.shape[-2] - 1}, or a longer history."
        )
    naive = (past[..., lag:, :] - past[..., :-lag, :]).abs().flatten(0, -2).mean(0)
    predicted, actual = first_steps(predicted, actual, steps, name="scaled_error")
    return like(((predicted - actual).abs().mean(-2) / naive).mean(-1), forecast)


class ScaledError(ForecastMetric):
    """Mean absolute scaled error over the first steps, MASE (Hyndman and Koehler 2006).

    The error of the naive forecast is that on the true test orbits, which are like the training data without noise.
    The default is two periods of 100 steps, the horizon of Gilpin 2021, NeurIPS.
    """

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["scaled_error"] = "scaled_error"
    steps: PositiveInt = 200  # [steps], number of first steps to score
    lag: PositiveInt = 1  # lag of the naive forecast [steps]

    @property
    def least_horizon(self) -> int:
        """`steps`, the scored length of short forecasts [steps]."""
        return self.steps

    @property
    def least_free_run(self) -> int:
        """The least length of true orbits for the naive forecast [steps]."""
        return self.lag + 1

    def each_condition(self, evaluation: Evaluation) -> Tensor:
        """Return the error of each forecast, `(K, C)`; NaN where it is not finite by then."""
        return scaled_error(
            evaluation.forecast, evaluation.future, history=evaluation.truth, lag=self.lag, steps=self.steps
        )
