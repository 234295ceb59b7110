"""Conversion between numpy arrays and float64 tensors, and checks that metrics share."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chaosbench.errors import ChaosbenchError

Array = Tensor | NDArray[Any]
ArrayT = TypeVar("ArrayT", Tensor, NDArray[Any])


def as_tensors(first: Array, *others: Array) -> tuple[Tensor, ...]:
    """Return all arguments as float64 tensors without gradients, on the device of the first."""
    lead = _as_tensor(first)
    return lead, *(_as_tensor(other).to(lead.device) for other in others)


def like(result: Tensor, example: ArrayT) -> ArrayT:
    """Return `result` as a tensor if `example` is one, else as a numpy array, or as a numpy float without axes."""
    if isinstance(example, Tensor):
        return result
    array: NDArray[Any] = result.cpu().numpy()[()]
    return array


def thinned(series: Tensor, points: int) -> Tensor:
    """Return at most `points` of the states `(..., T, D)`, evenly spaced from the first to the last."""
    steps = series.shape[-2]
    if steps <= points:
        return series
    indices = torch.linspace(0, steps - 1, points, dtype=torch.float64).long()
    return series[..., indices.to(series.device), :]


def each_member(series: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    """Return `score` of every `(T, D)` member of `(..., T, D)`, `(...)`; NaN for a member that is not finite."""
    members = series.reshape(-1, *series.shape[-2:])
    scores = [score(member) if member.isfinite().all() else member.new_tensor(torch.nan) for member in members]
    return torch.stack(scores).reshape(series.shape[:-2])


def check_dimensions(series: Tensor, truth: Tensor) -> None:
    """Raise a `ChaosbenchError` unless both series have the same number of dimensions."""
    if series.shape[-1] != truth.shape[-1]:
        raise ChaosbenchError(
            f"the generated series has {series.shape[-1]} dimensions and the truth {truth.shape[-1]}; "
            "observe the same ones."
        )


def first_steps(forecast: Tensor, truth: Tensor, steps: int | None, *, name: str) -> tuple[Tensor, Tensor]:
    """Return the first `steps` steps of forecasts `(..., T, D)` and of their truth; None: all steps that both have.

    Raises:
        ChaosbenchError: where there are fewer steps; it names the metric.
    """
    horizon = min(forecast.shape[-2], truth.shape[-2])
    if not 1 <= (horizon if steps is None else steps) <= horizon:
        raise ChaosbenchError(
            f"{name} needs a forecast of {steps} steps, and this one has {horizon}; "
            f"choose 1 to {horizon} steps, or a longer forecast."
        )
    return forecast[..., : steps or horizon, :], truth[..., : steps or horizon, :]


def _as_tensor(array: Array) -> Tensor:
    if isinstance(array, Tensor):
        return array.detach().to(torch.float64)
    # A copy, because torch accepts neither reversed nor read-only arrays.
    return torch.from_numpy(np.array(array, dtype=np.float64, order="C"))
