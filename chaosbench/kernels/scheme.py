"""A method that integrates a flow over one step of the data, as compiled loops take it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

Procedure = Literal["adaptive", "radau", "gauss"]


@dataclass(frozen=True)
class Scheme:
    """A method whose steps are chosen, or iterated, by the values of the state.

    Attributes:
        value: the vector field dz/dt, `(..., S) -> (..., S)`, which is watched and translated.
        method: "adaptive", an explicit method with steps chosen by its error; "radau", an implicit one of that kind;
            "gauss", an implicit one with equal steps.
        dt: [system time] that a step of the data takes.
        substeps: equal steps per `dt` of "gauss".
        tolerance: largest error of a step that is accepted, in units of 1 + |z|, of the others.
        order: the error of a step grows as its size to this power.
        nodes, matrix, ends, errors: coefficients of an implicit method with s stages, `(s)`, `(s, s)`, `(s)`, `(s)`, as
            `dynamics.collocation` has them.
        damping: real eigenvalue of the matrix, which filters the error.
        tableau: weights of the slopes in the points of an explicit method, `(stages + 1, stages)`; the last row is the
            step.
        differences: weights of the slopes in its two estimates of the error, `(2, stages)`.
        ranges: range after which an entry of the state repeats, by its number; it is wrapped behind each step.
    """

    value: Callable[[Tensor], Tensor]
    method: Procedure
    dt: float
    substeps: int
    tolerance: float
    order: int
    nodes: Tensor
    matrix: Tensor
    ends: Tensor
    errors: Tensor
    damping: float
    tableau: Tensor
    differences: Tensor
    ranges: Mapping[int, float] = field(default_factory=dict)
