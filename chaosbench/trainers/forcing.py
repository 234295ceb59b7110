"""Forced unrolls: what the model says of a window when its state is set from data every so many steps."""

import re
from collections.abc import Callable

import torch
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.models.base import Forecaster

_MULTIPLE = re.compile(r"(?:(?P<factor>\d+(?:\.\d*)?|\.\d+)\s*\*?\s*)?tau_pred")


def forced_unroll(model: Forecaster, windows: Tensor, interval: int) -> Tensor:
    """Predictions of `windows[:, :, 1:]`, the state forced from data before steps 0, interval, 2 interval, ...

    Forcing comes after the loss: the prediction of an observation never sees it.
    Segments are folded into the batch where `model.resets`, which gives the same numbers.

    Args:
        windows: `(K, B, T + 1, D)`.
        interval: [steps]; T or more means the start alone.

    Returns:
        `(K, B, T, D)`.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, equation 16.
    """
    return (folded_unroll if model.resets else sequential_unroll)(model, windows, interval)


def folded_unroll(model: Forecaster, windows: Tensor, interval: int) -> Tensor:
    """`forced_unroll` with every segment a member of the batch; exact only where `model.resets`."""
    steps = windows.shape[2] - 1
    interval = min(interval, steps)
    starts = windows[:, :, :-1:interval]  # (K, B, segments, D)
    batch, segments = starts.shape[1:3]
    state = model.initial_state(starts.flatten(1, 2))
    predicted, _ = model.predict(state, interval)  # (K, B * segments, interval, D)
    return torch.unflatten(predicted, 1, (batch, segments)).flatten(2, 3)[:, :, :steps]  # the last may overhang


def sequential_unroll(model: Forecaster, windows: Tensor, interval: int) -> Tensor:
    """`forced_unroll` segment after segment, for models whose forcing keeps a part of the state."""
    return _segments(model, windows, interval, model.force)


def truncated_unroll(model: Forecaster, windows: Tensor, interval: int) -> Tensor:
    """As `sequential_unroll`, but in place of forcing the state is cut from its gradient: truncated backpropagation."""
    return _segments(model, windows, interval, lambda state, _: state.detach())


def interval_in_steps(interval: int | str, data: Dataset) -> int:
    """A forcing interval in steps, from steps or from `"0.4 tau_pred"`, a multiple of ln 2 / lambda_max.

    Raises:
        DataError: for a multiple where the system is not chaotic.
    """
    if isinstance(interval, int):
        return interval
    return max(1, round(tau_pred_factor(interval) * data.predictability_time))


def tau_pred_factor(interval: str) -> float:
    """The factor in `"0.4 tau_pred"`; 1 for `"tau_pred"`.

    Raises:
        ValueError: where the text is something else.
    """
    match = _MULTIPLE.fullmatch(interval.strip())
    if match is None or float(match["factor"] or 1) == 0:
        raise ValueError(
            f"{interval!r} is no forcing interval; give steps, 'tau_pred', or a multiple like '0.4 tau_pred'"
        )
    return float(match["factor"] or 1)


def _segments(model: Forecaster, windows: Tensor, interval: int, renew: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    steps = windows.shape[2] - 1
    state, parts = model.initial_state(windows[:, :, 0]), []
    for start in range(0, steps, interval):
        if start:
            state = renew(state, windows[:, :, start])
        predicted, state = model.predict(state, min(interval, steps - start))
        parts.append(predicted)
    return torch.cat(parts, dim=2)
