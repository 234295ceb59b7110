"""The loss of trainers that minimise none step by step: the error of one step from the data."""

import torch
from torch import Tensor

from chaosbench.models.forecaster import Forecaster


@torch.no_grad()
def one_step_error(model: Forecaster, windows: Tensor, *, warm_up: int = 0) -> Tensor:
    """Mean squared error of the observation that follows, the model being forced at every step.

    Args:
        windows: `(K, B, T + 1, D)`.
        warm_up: predictions that do not count [steps].

    Returns:
        `(K,)`.
    """
    state = model.initial_state(windows[:, :, 0].contiguous())
    total = windows.new_zeros(model.seeds, dtype=torch.float64)
    for time in range(windows.shape[2] - 1):
        state = model.step(model.force(state, windows[:, :, time].contiguous()) if time else state)
        if time >= warm_up:
            error = model.observe(state) - windows[:, :, time + 1]
            total += error.double().square().flatten(1).mean(dim=1)
    return (total / (windows.shape[2] - 1 - warm_up)).to(windows.dtype)
