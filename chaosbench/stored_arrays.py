"""The arrays that an experiment leaves for its pictures."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.evaluation import DRAWN
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.valid_prediction_time import valid_prediction_time

Arrays = dict[str, np.ndarray[Any, Any]]

_SHOWN_ORBITS, _SHOWN_STEPS, _SHOWN_OBSERVABLES = 9, 2_000, 3  # of the forecasts that are kept for pictures


def evaluation_arrays(evaluation: Evaluation) -> Arrays:
    """Return the orbits and valid prediction times that pictures are drawn from."""
    return {
        "truth": evaluation.truth[0, :DRAWN].float().cpu().numpy(),
        "free_run": evaluation.free_run[:, 0, :DRAWN].float().cpu().numpy(),
        "dt": np.array([evaluation.dt]),
        **_valid_times(evaluation),
        **_forecasts(evaluation),
        **_error_growth(evaluation),
    }


def separation_arrays(data: Dataset) -> Arrays:
    """Return how neighbours separate in a recorded series, and the line its exponent was read from."""
    curve = data.separation
    if curve is None:
        return {}
    return {
        "measured": data.train[0, -DRAWN:].float().cpu().numpy(),  # a test piece is too short to show the attractor
        "divergence_times": curve.times.numpy(),  # [system time]
        "divergence": curve.log_distance.numpy(),  # [nats]
        "divergence_fit": np.array([curve.exponent, curve.interval, *curve.fit]),  # [1 / system time], [steps]
    }


def _valid_times(evaluation: Evaluation) -> Arrays:
    """Return valid prediction times of the models and of the twins [Lyapunov times]; nothing without chaos."""
    exponent = evaluation.largest_exponent or 0.0
    if exponent <= 0:
        return {}
    forecasts = {"valid_times": evaluation.forecast, "twin_valid_times": evaluation.twins}
    dt, scale = exponent * evaluation.dt, evaluation.scale
    return {
        name: valid_prediction_time(forecast, evaluation.future, dt=dt, scale=scale).float().cpu().numpy()
        for name, forecast in forecasts.items()
        if forecast is not None
    }


def _forecasts(evaluation: Evaluation) -> Arrays:
    """Return the first forecast on each of the first test orbits beside its truth, in the leading observables."""
    orbits = evaluation.condition_orbits
    if orbits is None:
        first = torch.arange(min(_SHOWN_ORBITS, len(evaluation.future)))
    else:
        first = torch.stack([(orbits == orbit).nonzero()[0, 0] for orbit in orbits.unique()[:_SHOWN_ORBITS]])
    forecast = evaluation.forecast[:, first, :_SHOWN_STEPS, :_SHOWN_OBSERVABLES]
    if not forecast.isfinite().any():
        return {}
    future = evaluation.future[first, :_SHOWN_STEPS, :_SHOWN_OBSERVABLES]
    return {
        "forecasts": forecast.float().cpu().numpy(),
        "futures": future.float().cpu().numpy(),
        "largest_exponent": np.array([np.nan if (rate := evaluation.largest_exponent) is None else rate]),
        "deviation": evaluation.scale[:_SHOWN_OBSERVABLES].float().cpu().numpy(),
    }


def _error_growth(evaluation: Evaluation) -> Arrays:
    """Return how forecast errors grow, and those of the twins: geometric mean over the conditions [std]."""
    runs = {"error_growth": evaluation.forecast, "twin_error_growth": evaluation.twins}
    return {
        name: typical_error(run[..., :_SHOWN_STEPS, :], evaluation).float().cpu().numpy()
        for name, run in runs.items()
        if run is not None and run.isfinite().any()
    }


def typical_error(forecast: Tensor, evaluation: Evaluation) -> Tensor:
    """Return the error `(..., C, H, D) -> (..., H)`: root mean square over observables, geometric mean over conditions.

    Errors are in standard deviations of the data. An error of exactly 0 counts as the smallest normal number.
    """
    error = (forecast - evaluation.future[:, : forecast.shape[-2]]) / evaluation.scale
    size = error.double().square().mean(-1).sqrt().clamp(min=torch.finfo(forecast.dtype).tiny)
    return size.log().mean(-2).exp()
