"""Numpy arrays and tensors alike: float64 tensors inside, the caller's own kind outside."""

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
    """All arguments as float64 tensors without gradients, on the device of the first."""
    lead = _as_tensor(first)
    return lead, *(_as_tensor(other).to(lead.device) for other in others)


def like(result: Tensor, example: ArrayT) -> ArrayT:
    """`result` as a tensor if `example` is one, otherwise as a numpy array, or a numpy float where it has no axes."""
    if isinstance(example, Tensor):
        return result
    array: NDArray[Any] = result.cpu().numpy()[()]
    return array


def thinned(series: Tensor, points: int) -> Tensor:
    """At most `points` of the `(..., T, D)` states, evenly spread over time, the first and the last among them."""
    steps = series.shape[-2]
    if steps <= points:
        return series
    kept = torch.linspace(0, steps - 1, points, dtype=torch.float64).long()
    return series[..., kept.to(series.device), :]


def each_member(series: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    """The scalar `score` of every `(T, D)` member of `(..., T, D)`, `(...)`; NaN, unasked, where it is not finite."""
    members = series.reshape(-1, *series.shape[-2:])
    scores = [score(one) if one.isfinite().all() else one.new_tensor(torch.nan) for one in members]
    return torch.stack(scores).reshape(series.shape[:-2])


def check_dimensions(series: Tensor, truth: Tensor) -> None:
    """Refuse to compare states of different dimensions."""
    if series.shape[-1] != truth.shape[-1]:
        raise ChaosbenchError(
            f"the generated series has {series.shape[-1]} dimensions and the truth {truth.shape[-1]}; "
            "observe the same ones."
        )


def first_steps(forecast: Tensor, truth: Tensor, steps: int | None, *, name: str) -> tuple[Tensor, Tensor]:
    """The first `steps` steps of `(..., T, D)` forecasts and of what truly followed; None is all that both have.

    Raises:
        ChaosbenchError: where there are not so many; it names the metric.
    """
    horizon = min(forecast.shape[-2], truth.shape[-2])
    if not 1 <= (horizon if steps is None else steps) <= horizon:
        raise ChaosbenchError(
            f"{name} cannot look {steps} steps ahead in a forecast of {horizon}; "
            f"choose 1 to {horizon}, or forecast further."
        )
    return forecast[..., : steps or horizon, :], truth[..., : steps or horizon, :]


def _as_tensor(array: Array) -> Tensor:
    if isinstance(array, Tensor):
        return array.detach().to(torch.float64)
    # A copy, because torch takes neither reversed nor read-only arrays.
    return torch.from_numpy(np.array(array, dtype=np.float64, order="C"))
