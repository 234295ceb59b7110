"""The functions of numpy that dysts's equations call, by torch, so that they can be differentiated and compiled."""

import math
from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor

Number = float | Tensor  # a constant, or one coordinate of states with any leading axes


def _either(of_tensors: Callable[[Tensor], Tensor], of_numbers: Callable[[float], float]) -> Callable[[Number], Number]:
    """Return a function that takes numbers as well as tensors."""

    def function(argument: Number) -> Number:
        return of_tensors(argument) if isinstance(argument, Tensor) else of_numbers(argument)

    return function


def _step(argument: Tensor, at_zero: float) -> Tensor:
    """Return Heaviside's step function, without a derivative."""
    one = torch.ones_like(argument)
    return torch.where(argument > 0, one, torch.where(argument < 0, 0 * one, at_zero * one))


def _largest(first: float, second: Tensor) -> Tensor:
    """Return the larger one of a constant and a coordinate."""
    return second.clamp(min=first)


NUMPY = SimpleNamespace(
    pi=math.pi,
    sin=_either(torch.sin, math.sin),
    cos=_either(torch.cos, math.cos),
    arccos=_either(torch.acos, math.acos),
    exp=_either(torch.exp, math.exp),
    sqrt=_either(torch.sqrt, math.sqrt),
    sinh=_either(torch.sinh, math.sinh),
    cosh=_either(torch.cosh, math.cosh),
    tanh=_either(torch.tanh, math.tanh),
    abs=abs,
    floor=torch.floor,
    sign=torch.sign,
    heaviside=_step,
    min=min,
)
BUILTINS = {"max": _largest}  # used as max(0, x)
