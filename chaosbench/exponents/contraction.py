"""Contraction that a step does not resolve, so that the most negative exponents come out wrong."""

import torch
from torch import Tensor

from chaosbench.dynamics import EXPLICIT_LIMIT
from chaosbench.systems.flow import Flow

_ROUNDING = 30.0  # of dt times the contraction: tangents that shrink by exp(-30) against others are lost in rounding


def unresolved_contraction(flow: Flow, states: Tensor) -> str | None:
    """Return a remark if a step contracts more than it resolves; None if it does not.

    An implicit step of any length is stable, but damps a fast direction by a rational function of the product of step
    and rate in place of its exponential: the exponents of such directions come out too small in size. Whatever the
    method, a tangent is lost in rounding where it shrinks too much between two QR decompositions.

    Args:
        flow: the flow.
        states: points of its orbits, `(B, S)`.
    """
    if flow.own_step:
        return None
    rate = -float(torch.linalg.eigvals(flow.field.jacobian(states)).real.min())
    step, limit = flow.dt, _ROUNDING
    if flow.method in ("radau", "gauss"):
        step, limit = flow.dt / flow.substeps, EXPLICIT_LIMIT
    if rate * step <= limit:
        return None
    return (
        f"the fastest direction decays by exp(-{rate * step:.3g}) within a step, more than {flow.method} with "
        f"dt={flow.dt:g} resolves, so that the most negative exponents are too small in size; for all exponents choose "
        f"dt={EXPLICIT_LIMIT / rate:.1g}, with which method='dop853' is stable, too"
    )


def resolved_exponents(flow: Flow, states: Tensor, count: int) -> int:
    """Return how many of the leading `count` exponents the derivative of an implicit step resolves, at least one.

    Args:
        flow: the flow, whose tangents are carried by torch.
        states: points of its orbits, `(B, S)`.
        count: number of exponents that are wanted.
    """
    if flow.own_step or flow.method not in ("radau", "gauss"):
        return count
    rates = torch.linalg.eigvals(flow.field.jacobian(states)).real
    slow = (rates * flow.dt / flow.substeps >= -EXPLICIT_LIMIT).sum(-1)
    return max(1, min(count, int(slow.min())))


def resolved_columns(rates: Tensor) -> int:
    """Return how many leading exponents were resolved in all blocks of bounded orbits, `(B, K, M)`, at least one."""
    unknown = rates.isnan().flatten(0, 1).any(0)
    return max(1, int((~unknown).long().cumprod(0).sum()))


def left_out(flow: Flow, count: int, size: int) -> str:
    """Return the remark that explains why exponents are missing."""
    return (
        f"only the leading {count} of {size} exponents are reported: the others decay within a step of dt={flow.dt:g} "
        f"by more than {flow.method} resolves; a shorter dt reports them"
    )
