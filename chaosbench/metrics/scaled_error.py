"""The error of a forecast over its first steps, in errors of the naive forecast (MASE)."""

from typing import ClassVar, Literal

from pydantic import PositiveInt
from torch import Tensor

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, first_steps, like
from chaosbench.metrics.base import Evaluation, MetricSpec


def scaled_error(forecast: ArrayT, truth: Array, *, history: Array, lag: int = 1, steps: int | None = None) -> ArrayT:
    """MASE: mean absolute error over that of the naive forecast x(t) = x(t - lag), mean over dimensions.

    Args:
        forecast: `(..., T, D)`; index 0 is one step past the last observation; numpy array or tensor.
        truth: `(..., T, D)`, leading axes broadcast.
        history: `(..., T', D)`, true series on which the naive forecast errs; none of the model's. All axes but the
            last are averaged over.
        lag: of the naive forecast [steps].
        steps: the first ones that count [steps]; None is all.

    Returns:
        `(...)` [1], of the kind of `forecast`; NaN where the forecast is within these steps.

    Source:
        Hyndman and Koehler 2006, International Journal of Forecasting 22, 679.
    """
    predicted, actual, known = as_tensors(forecast, truth, history)
    if not 1 <= lag < known.shape[-2]:
        raise ChaosbenchError(
            f"scaled_error cannot look {lag} steps back in a history of {known.shape[-2]}; "
            f"choose 1 to {known.shape[-2] - 1}, or a longer history."
        )
    naive = (known[..., lag:, :] - known[..., :-lag, :]).abs().flatten(0, -2).mean(0)
    predicted, actual = first_steps(predicted, actual, steps, name="scaled_error")
    return like(((predicted - actual).abs().mean(-2) / naive).mean(-1), forecast)


class ScaledError(MetricSpec):
    """Mean absolute scaled error over the first steps, MASE (Hyndman and Koehler 2006).

    The naive forecast errs on the true test orbits, which have the statistics of the training data without their noise.
    The default is two periods of 100 steps, the horizon of Gilpin 2021, NeurIPS.
    """

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["scaled_error"] = "scaled_error"
    steps: PositiveInt = 200  # [steps], the first ones that count
    lag: PositiveInt = 1  # [steps] of the naive forecast

    @property
    def least_horizon(self) -> int:
        """[steps] of the short forecasts that are looked at."""
        return self.steps

    @property
    def least_free_run(self) -> int:
        """[steps] of the true orbits that the naive forecast needs."""
        return self.lag + 1

    def score(self, evaluation: Evaluation) -> Tensor:
        """`(K,)`, mean over the conditions; NaN where any forecast diverged by then."""
        return scaled_error(
            evaluation.forecast, evaluation.future, history=evaluation.truth, lag=self.lag, steps=self.steps
        ).mean(-1)
