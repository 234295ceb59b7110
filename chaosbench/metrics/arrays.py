"""Numpy arrays and tensors alike: float64 tensors inside, the caller's own kind outside."""

from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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


def _as_tensor(array: Array) -> Tensor:
    if isinstance(array, Tensor):
        return array.detach().to(torch.float64)
    # A copy, because torch takes neither reversed nor read-only arrays.
    return torch.from_numpy(np.array(array, dtype=np.float64, order="C"))
