"""Exponents for parameters that nobody certified: measured on first use, and kept on disk."""

import contextlib
import math
from functools import lru_cache

import torch
from pydantic import ValidationError
from torch import Tensor

from chaosbench.dynamics import finite_time_exponents
from chaosbench.errors import DataError
from chaosbench.files import cache_folder, cache_key, write_whole
from chaosbench.intervals import half_width
from chaosbench.systems.base import SystemSpec
from chaosbench.systems.reference import Reference

_METHOD = "1"  # to be raised when `measured_reference` gives other numbers


def largest_exponent(system: SystemSpec) -> float:
    """Return the system's largest Lyapunov exponent [1 / system time], or zero where it cannot be told from zero.

    The exponent comes from a shipped certificate or a known reference; else it is measured on first use and cached.

    Raises:
        DataError: where an orbit escapes.
    """
    reference = system.reference or cached_reference(system)
    return 0.0 if abs(reference.largest) <= reference.tolerances[0] else reference.largest


@lru_cache(maxsize=256)
def cached_reference(system: SystemSpec) -> Reference:
    """The system's leading exponent, measured within seconds and the same at every call.

    Raises:
        DataError: where an orbit escapes.
    """
    path = cache_folder() / "exponents" / f"{cache_key(system, _METHOD)}.json"
    try:
        return Reference.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # not there, or damaged: it is made (again)
        reference = measured_reference(system, exponents=1)
    with contextlib.suppress(OSError):  # a folder that cannot be written costs time, not results
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda beside: beside.write_text(reference.model_dump_json(indent=1)))
    return reference


def measured_reference(
    system: SystemSpec,
    *,
    states: Tensor | None = None,
    members: int = 256,
    steps: int = 2000,
    transient: int = 500,
    every: int = 5,
    exponents: int | None = None,
    seed: int = 0,
) -> Reference:
    """Exponents of a system's attractor, measured on an ensemble of orbits.

    Args:
        system: the system.
        states: `(B, S)` on the attractor, whose precision is worked in; None draws `members` in float64.
        members: orbits in the ensemble, each from its own state on the attractor.
        steps: length of each orbit [steps].
        transient: steps in which tangent vectors are aligned and nothing is counted [steps].
        every: steps between two orthonormalisations [steps].
        exponents: how many, leading ones first; None is as many as the system says.
        seed: of the initial states.

    Returns:
        Means over the ensemble, with Student's intervals of 95 % for them.
    """
    states = system.initial_state(members, torch.Generator().manual_seed(seed)) if states is None else states
    count = exponents or system.leading
    # Averaged first and sorted last: to sort each member's own would push near exponents apart.
    each = finite_time_exponents(
        system, states, steps=steps, transient=transient, every=every, exponents=count, dt=system.dt
    ).double()
    if not bool(torch.isfinite(each[:, 0]).all()):
        raise DataError(f"an orbit of {system.label} escapes to infinity; expected a bounded attractor")
    mean, order = each.mean(0).sort(descending=True)
    interval = half_width(each.std(0)[order], len(states))
    precision = str(states.dtype).removeprefix("torch.")
    ensemble = f"{len(states)} orbits of {steps} steps after {transient}, dt {system.dt:g}, seed {seed}"
    return Reference(
        parameters=system.parameters,
        exponents=tuple(mean.tolist()),
        intervals=tuple(interval.tolist()),
        # Where nothing is chaotic tangents may still grow as t; from `transient` on, this is what it looks like.
        resolution=math.log1p(steps / max(transient, 1)) / (steps * system.dt),
        source="computed by chaosbench",
        method=f"tangent dynamics in {precision}, QR every {every} steps: {ensemble}",
    )
