"""Sizes of an integration of one orbit, coefficients of its method, and the arrays it works in."""

from typing import NamedTuple

import numpy as np

from chaosbench.kernels.numba_compiled import compiled

ADAPTIVE, RADAU, GAUSS = range(3)
codes = {"adaptive": ADAPTIVE, "radau": RADAU, "gauss": GAUSS}


class Integration(NamedTuple):
    """Sizes of a computation, the method, and the addresses of the field and its Jacobian."""

    orbits: int  # B
    size: int  # S
    steps: int  # T, or the length of a block [steps]
    transient: int  # [steps]
    every: int  # [steps] between two states of an orbit that are kept
    columns: int  # M
    blocks: int
    decomposed: int  # whether tangents are decomposed behind each step that is taken, and resolved within it
    method: int
    stages: int  # s
    substeps: int  # equal steps per dt, of the method of Gauss
    field: int
    jacobian: int
    dt: float  # [system time]
    tolerance: float
    order: float
    damping: float
    rounding: float  # relative, of the states' precision


class Rule(NamedTuple):
    """Coefficients of the methods, in the precision of the states, as `Scheme` names them."""

    nodes: np.ndarray  # (s), in units of the step
    matrix: np.ndarray  # (s, s)
    ends: np.ndarray  # (s)
    errors: np.ndarray  # (s)
    tableau: np.ndarray  # (13, 12)
    differences: np.ndarray  # (2, 12)
    ranges: np.ndarray  # (S), after which an entry of the state repeats; 0 where it does not


class Room(NamedTuple):
    """Arrays of one orbit."""

    state: np.ndarray  # (S)
    tangents: np.ndarray  # (M * S), column by column
    stepped: np.ndarray  # (S)
    slope: np.ndarray  # (S), at the begin of the step
    rate: np.ndarray  # (S), at a stage
    jacobian: np.ndarray  # (S, S), at the begin of the step
    points: np.ndarray  # (s, S)
    moves: np.ndarray  # (s, S)
    jacobians: np.ndarray  # (s, S, S), at the points
    matrix: np.ndarray  # (s S, s S)
    pivots: np.ndarray  # (s S)
    right: np.ndarray  # (s S, 1)
    columns: np.ndarray  # (s S, M)
    small: np.ndarray  # (S, S)
    few: np.ndarray  # (S), its pivots
    error: np.ndarray  # (S, 1)
    second: np.ndarray  # (S, 1), another estimate of the error
    before: np.ndarray  # (M * S), tangents at the begin of the step
    grown: np.ndarray  # (M, 1), their growth in the step [nats]
    growth: np.ndarray  # (M, 1), in all steps [nats]
    variations: np.ndarray  # (12, S, S), Jacobians along a short step
    pushed: np.ndarray  # (12, S)


@compiled
def room_for(plan, like):
    """Return the arrays of one orbit in the precision of `like`."""
    size, stages, columns = plan.size, plan.stages, plan.columns
    joint = stages * size if plan.method != ADAPTIVE else 1
    return Room(
        np.empty(size, like.dtype),
        np.empty(columns * size, like.dtype),
        np.empty(size, like.dtype),
        np.empty(size, like.dtype),
        np.empty(size, like.dtype),
        np.empty((size, size), like.dtype),
        np.empty((stages, size), like.dtype),
        np.empty((stages, size), like.dtype),
        np.empty((stages, size, size), like.dtype),
        np.empty((joint, joint), like.dtype),
        np.empty(joint, np.int64),
        np.empty((joint, 1), like.dtype),
        np.empty((stages * size, columns), like.dtype),
        np.empty((size, size), like.dtype),
        np.empty(size, np.int64),
        np.empty((size, 1), like.dtype),
        np.empty((size, 1), like.dtype),
        np.empty(columns * size, like.dtype),
        np.zeros((columns, 1)),
        np.zeros((columns, 1)),
        np.empty((12, size, size), like.dtype),
        np.empty((12, size), like.dtype),
    )
