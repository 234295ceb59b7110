"""Traces and conserved quantities of flows, against which exponents and steps are checked."""

import math

import torch
from torch import Tensor

from chaosbench.dynamics import Ensemble, Found, orbit
from chaosbench.kernels import compiled_trace
from chaosbench.systems.base import SystemSpec
from chaosbench.systems.certificate import Check
from chaosbench.systems.flow import Flow
from chaosbench.systems.traces import field_with_trace

_TRACED = 32  # orbits along which the trace is averaged over the whole run
_DRIFT = 1e-6  # largest relative change of a conserved quantity that is accepted


@torch.no_grad()
def mean_trace(flow: Flow, states: Tensor, *, steps: int) -> Tensor:
    """Return the mean trace of the field's Jacobian along each orbit, by the flow's own method.

    The integral of the trace is a further variable of the flow, so that it is as exact as the orbit.

    Args:
        flow: the flow.
        states: starts, `(B, S)`.
        steps: length of the orbits [steps].

    Returns:
        `(B)` [1 / system time].
    """
    joined = torch.cat([states, states.new_zeros(len(states), 1)], dim=-1)[..., None]
    if (compiled := compiled_trace(flow, flow.step, states, steps=steps)) is not None:
        counts = torch.full((len(states),), steps)
        return compiled.after(joined[..., 0], counts)[:, -1] / (steps * flow.dt)
    field = field_with_trace(flow)
    for _ in range(steps):
        joined = flow.integrated(joined, field=field)
    return joined[:, -1, 0] / (steps * flow.dt)


@torch.no_grad()
def whole_trace(system: SystemSpec, ensemble: Ensemble, attractor: Found, short: float | None) -> float | None:
    """Return the mean trace along the orbits of a run, where compiled steps make that cheap, else that of a short one.

    Args:
        system: the system.
        ensemble: the run.
        attractor: its orbits that count.
        short: the mean trace over some steps behind the run; None if it is not known.
    """
    if not isinstance(system, Flow) or system.scheme is None:
        return short
    starts, steps = ensemble.starts[attractor.orbits][:_TRACED], ensemble.steps + ensemble.transient
    if compiled_trace(system, system.step, starts, steps=steps) is None:
        return short
    mean = float(mean_trace(system, starts, steps=steps).mean())
    return mean if math.isfinite(mean) else short


@torch.no_grad()
def energy_drift(flow: Flow, states: Tensor, *, steps: int, samples: int = 100) -> Tensor:
    """Return the largest change of the conserved quantity along each orbit.

    Args:
        flow: a flow that defines `energy`.
        states: starts, `(B, S)`.
        steps: length of the orbits [steps].
        samples: number of times at which it is evaluated.

    Returns:
        `(B)`, relative to the quantity at the start, or absolute where that is zero.
    """
    every = max(1, steps // samples)
    first = flow.energy(states)
    path = orbit(flow, states, steps=max(1, steps // every), every=every)
    change = (flow.energy(path) - first[..., None]).abs().amax(-1)
    return torch.where(first == 0, change, change / first.abs())


def energy_checks(system: SystemSpec, states: Tensor, *, steps: int) -> list[Check]:
    """Return the check that a conserved quantity is conserved; none for other systems."""
    if not isinstance(system, Flow) or not system.conservative:
        return []
    drift = float(energy_drift(system, states, steps=steps).max())
    check = Check(
        name="energy drift",
        meaning=f"largest relative change of the conserved quantity within {steps * system.dt:g} units of time",
        measured=drift,
        tolerance=_DRIFT,
    )
    return [check]
