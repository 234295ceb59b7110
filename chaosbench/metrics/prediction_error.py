"""The error of a forecast some steps ahead."""

from typing import ClassVar, Literal

from pydantic import PositiveInt
from torch import Tensor

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, like
from chaosbench.metrics.base import Evaluation, MetricSpec


def prediction_error(forecast: ArrayT, truth: Array, *, steps: int = 20) -> ArrayT:
    """Squared error exactly `steps` steps past the last observation, mean over dimensions: PE(n).

    Args:
        forecast: `(..., T, D)`; index 0 is one step past the last observation; numpy array or tensor.
        truth: `(..., T, D)`, leading axes broadcast.
        steps: how far ahead [steps].

    Returns:
        `(...)` [squared units of the series], of the kind of `forecast`; NaN where the forecast is.

    Source:
        Hess et al. 2023, ICML (arXiv 2306.04406); Brenner et al. 2022, ICML (2207.02542).
    """
    predicted, actual = as_tensors(forecast, truth)
    horizon = min(predicted.shape[-2], actual.shape[-2])
    if not 1 <= steps <= horizon:
        raise ChaosbenchError(
            f"prediction_error cannot look {steps} steps ahead in a forecast of {horizon}; "
            f"choose 1 to {horizon}, or forecast further."
        )
    error = predicted[..., steps - 1, :] - actual[..., steps - 1, :]
    return like(error.square().mean(-1), forecast)


class PredictionError(MetricSpec):
    """Mean squared error some steps ahead, PE(n), in squared standard deviations (Hess et al. 2023, ICML)."""

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["prediction_error"] = "prediction_error"
    steps: PositiveInt = 20  # [steps]

    def score(self, evaluation: Evaluation) -> Tensor:
        """`(K,)`, mean over the conditions; NaN where any forecast diverged by then."""
        return prediction_error(evaluation.forecast, evaluation.future, steps=self.steps).mean(-1)
