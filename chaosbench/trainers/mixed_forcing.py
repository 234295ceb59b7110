"""Forcing at intervals that differ from seed to seed of one batch."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from chaosbench import kernels
from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.base import squared_error
from chaosbench.trainers.forcing import blended_error


def mixed_weights(intervals: Tensor, steps: int) -> Tensor:
    """Return 1 where a seed is forced before a step and 0 elsewhere, `(K,)` [steps] -> `(K, 1, steps - 1)`."""
    return (torch.arange(1, steps) % intervals[:, None] == 0)[:, None]


def mixed_error(
    model: Forecaster, windows: Tensor, intervals: Sequence[int], weights: Tensor, *, warm_up: int = 0
) -> Tensor:
    """Return what `forced_error` returns for the interval of each seed, to rounding, `(K,)`.

    Args:
        windows: `(K, B, W + T + 1, D)`.
        intervals: time between forcings of each seed [steps].
        weights: `mixed_weights` of these intervals, `(K, 1, T - 1)`.
        warm_up: W [steps].
    """
    steps = weights.shape[-1] + 1
    backend = kernels.backend_for(windows, steps)
    if backend is not None and model.network_for(backend) is not None:
        return blended_error(model, windows, weights, warm_up=warm_up)
    return squared_error(_mixed_unroll(model, windows, intervals, weights, warm_up), windows[:, :, warm_up + 1 :])


def _mixed_unroll(
    model: Forecaster, windows: Tensor, intervals: Sequence[int], weights: Tensor, warm_up: int
) -> Tensor:
    """Predict segment after segment; a segment ends wherever a seed is forced, and only there are states replaced."""
    steps = weights.shape[-1] + 1
    times = sorted({time for interval in set(intervals) for time in range(interval, steps, interval)})
    state, parts = model.initial_state(windows[:, :, : warm_up + 1]), []
    for start, end in pairwise([0, *times, steps]):
        if start:
            forced = _forced(model, state, windows, warm_up + start)
            state = torch.where(weights[:, :, start - 1, None] > 0, forced, state)
        predicted, state = model.predict(state, end - start)
        parts.append(predicted)
    return torch.cat(parts, dim=2)


def _forced(model: Forecaster, state: Tensor, windows: Tensor, time: int) -> Tensor:
    """Return the state as `forced_unroll` forces it."""
    if model.resets:
        return model.initial_state(windows[:, :, time : time + 1])
    return model.force(state, windows[:, :, time])
