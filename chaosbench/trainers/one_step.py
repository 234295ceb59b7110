"""The error of one step from the data, which trainers without an iterated loss report."""

from collections.abc import Sequence

import torch
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.models.forecaster import Forecaster
from chaosbench.seeds import seed_generator

_PAIRS = 256  # random pairs of consecutive observations
_HISTORY = 200  # [steps] before each pair, for models whose state depends on them


@torch.no_grad()
def one_step_error(model: Forecaster, windows: Tensor, *, warm_up: int = 0) -> Tensor:
    """Return the mean squared error of predicting the next observation, with the state forced at every step.

    Args:
        windows: `(K, B, T + 1, D)`.
        warm_up: predictions at the start that do not count [steps].

    Returns:
        `(K,)`.
    """
    state = model.initial_state(windows[:, :, :1].contiguous())
    total = windows.new_zeros(model.seeds, dtype=torch.float64)
    for time in range(windows.shape[2] - 1):
        state = model.step(model.force(state, windows[:, :, time].contiguous()) if time else state)
        if time >= warm_up:
            error = model.observe(state) - windows[:, :, time + 1]
            total += error.double().square().flatten(1).mean(dim=1)
    return (total / (windows.shape[2] - 1 - warm_up)).to(windows.dtype)


@torch.no_grad()
def random_pairs_error(model: Forecaster, data: Dataset, seeds: Sequence[int]) -> Tensor:
    """Return the mean squared error of one step from random training observations and their histories, `(K,)`."""
    history = 1 if model.resets else min(_HISTORY, data.train.shape[1] - 1)
    windows = data.windows(_PAIRS, history, [seed_generator(seed, "windows") for seed in seeds])
    predicted = model.observe(model.step(model.initial_state(windows[:, :, :-1].contiguous())))
    return (predicted - windows[:, :, -1]).double().square().flatten(1).mean(dim=1).to(windows.dtype)
