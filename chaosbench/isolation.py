"""Checks of what plug-ins return in the middle of a run, so that a wrong value is named where it arises."""

import torch
from torch import Tensor


def one_per_seed(values: object, seeds: int) -> Tensor:
    """Return the values as a floating-point tensor `(K,)` without a gradient, after checking that they are one.

    Raises:
        TypeError: with what was returned and what is expected.
    """
    try:
        numbers = torch.as_tensor(values).detach()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"it returned {type(values).__name__}; expected a tensor of one number per seed") from None
    if numbers.is_complex():
        raise TypeError("it returned complex numbers; expected real ones")
    if numbers.shape != (seeds,):
        raise TypeError(f"it returned the shape {tuple(numbers.shape)}; expected one number per seed, ({seeds},)")
    return numbers if numbers.is_floating_point() else numbers.double()
