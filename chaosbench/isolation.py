"""Guards around what plug-ins do in the middle of a run: what raises is named, and costs its own numbers only."""

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from chaosbench.errors import ChaosbenchError, one_line

Value = TypeVar("Value")


class DeadlyError(ChaosbenchError):
    """A part of a plug-in that is not called, because it has ended a process before."""


@dataclass(frozen=True)
class Precautions:
    """Care for parts of plug-ins that end the process, which nothing in the process can prevent.

    Attributes:
        say: is called with the culprit-to-be before each part, and with an empty text after it.
        deadly: parts that are not called any more, with what they have done.
    """

    say: Callable[[str], object]
    deadly: Mapping[str, str] = field(default_factory=dict)


_TAKEN: ContextVar[Precautions | None] = ContextVar("precautions", default=None)


def take_precautions(precautions: Precautions) -> None:
    """Take precautions from now on, in this process."""
    _TAKEN.set(precautions)


@contextmanager
def acting(what: str) -> Iterator[None]:
    """Say who acts, where precautions are taken.

    Args:
        what: the subject of a sentence, such as "the metric mine".

    Raises:
        DeadlyError: instead of letting act what has ended a process before.
    """
    taken = _TAKEN.get()
    if taken is None:
        yield
        return
    if what in taken.deadly:
        raise DeadlyError(taken.deadly[what])
    taken.say(what)
    try:
        yield
    finally:
        taken.say("")


def attempt(function: Callable[[], Value], *, otherwise: Value, what: str, remarks: list[str] | None) -> Value:
    """Return what the function returns; if it raises, print the traceback and return `otherwise`.

    Args:
        function: what may raise.
        otherwise: stands for the value.
        what: the culprit, the subject of the sentence, such as "the metric mine".
        remarks: receives a sentence on what was raised; None: it is raised.
    """
    if remarks is None:
        return function()
    try:
        with acting(what):
            return function()
    except (Exception, SystemExit) as error:  # a plug-in may raise anything, and the trained weights must not be lost
        traceback.print_exc()
        if isinstance(error, DeadlyError):
            remarks.append(f"{what} {error}")
        else:
            known = isinstance(error, ChaosbenchError)
            remarks.append(f"{what}: {error}" if known else f"{what} raised {one_line(error)}")
        return otherwise


def one_per_seed(values: object, seeds: int) -> Tensor:
    """Return the values as a floating-point tensor `(K,)` without a gradient, after checking that they are one.

    Raises:
        TypeError: with what was returned and what is expected.
    """
    numbers = real(values)
    if numbers.shape != (seeds,):
        raise TypeError(f"it returned the shape {tuple(numbers.shape)}; expected one number per seed, ({seeds},)")
    return numbers


def real(values: object) -> Tensor:
    """Return the values as a floating-point tensor without a gradient.

    Raises:
        TypeError: where they are no numbers, or complex ones.
    """
    try:
        numbers = torch.as_tensor(values).detach()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"it returned {type(values).__name__}; expected a tensor of one number per seed") from None
    if numbers.is_complex():
        raise TypeError("it returned complex numbers; expected real ones")
    return numbers if numbers.is_floating_point() else numbers.double()
