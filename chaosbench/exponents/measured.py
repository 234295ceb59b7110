"""Lyapunov exponents of systems without a certificate: computed on first use and cached on disk."""

import contextlib
import math
from functools import lru_cache

import torch
from pydantic import ValidationError
from torch import Tensor

from chaosbench.dynamics import finite_time_exponents
from chaosbench.files import cache_folder, cache_key, write_whole
from chaosbench.intervals import half_width
from chaosbench.kernels import for_exponents
from chaosbench.systems.base import SystemSpec
from chaosbench.systems.reference import Reference

_METHOD = "1"  # raise it when `measured_reference` returns other numbers


def largest_exponent(system: SystemSpec) -> float:
    """Return the system's largest Lyapunov exponent [1 / system time], or zero if it cannot be distinguished from zero.

    The exponent comes from a published reference or a shipped certificate; otherwise it is computed on first use and
    cached.

    Raises:
        DataError: if an orbit escapes to infinity.
    """
    reference = system.reference or cached_reference(system)
    return 0.0 if abs(reference.largest) <= reference.tolerances[0] else reference.largest


@lru_cache(maxsize=256)
def cached_reference(system: SystemSpec) -> Reference:
    """Return the system's largest exponent from the cache, or compute it within seconds.

    Raises:
        DataError: if an orbit escapes to infinity.
    """
    path = cache_folder() / "exponents" / f"{cache_key(system, _METHOD)}.json"
    try:
        return Reference.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # absent or damaged
        reference = measured_reference(system, exponents=1)
    with contextlib.suppress(OSError):  # a folder that cannot be written costs time only
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda beside: beside.write_text(reference.model_dump_json(indent=1)))
    return reference


@for_exponents()
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
    """Compute Lyapunov exponents of a system's attractor from an ensemble of orbits.

    Args:
        system: the system.
        states: `(B, S)` on the attractor; their precision is used throughout. None: `members` random states in float64.
        members: number of orbits, each from its own state on the attractor.
        steps: length of each orbit [steps].
        transient: steps at the start in which tangent vectors align and growth is not counted [steps].
        every: steps between two QR decompositions [steps].
        exponents: number of leading exponents; None: `system.leading`, or all.
        seed: seed of the initial states.

    Returns:
        Means over the ensemble with Student-t intervals of 95 %.

    Raises:
        DataError: if an orbit escapes to infinity.
    """
    states = system.initial_state(members, torch.Generator().manual_seed(seed)) if states is None else states
    count = exponents or system.leading
    # Average first, sort last: sorting each member's exponents would bias close ones apart.
    each = finite_time_exponents(
        system, states, steps=steps, transient=transient, every=every, exponents=count, dt=system.dt
    ).double()
    if not bool(torch.isfinite(each[:, 0]).all()):
        raise system.escape_error("; expected a bounded attractor")
    mean, order = each.mean(0).sort(descending=True)
    interval = half_width(each.std(0)[order], len(states))
    precision = str(states.dtype).removeprefix("torch.")
    ensemble = f"{len(states)} orbits of {steps} steps after {transient}, dt {system.dt:g}, seed {seed}"
    return Reference(
        parameters=system.parameters,
        exponents=tuple(mean.tolist()),
        intervals=tuple(interval.tolist()),
        # Tangents may grow as t without chaos; counted from `transient` on, that is an apparent exponent of this size.
        resolution=math.log1p(steps / max(transient, 1)) / (steps * system.dt),
        source="computed by chaosbench",
        method=f"tangent dynamics in {precision}, QR every {every} steps: {ensemble}",
    )
