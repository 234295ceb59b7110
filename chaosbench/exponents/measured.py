"""Lyapunov exponents of systems without a certificate: computed on first use and cached on disk."""

import contextlib
import math
from functools import lru_cache

import torch
from pydantic import ValidationError
from torch import Tensor

from chaosbench.dynamics import finite_time_exponents, mean_and_interval
from chaosbench.exponents.coexisting import chosen_attractor, records, spectrum
from chaosbench.files import cache_folder, cache_key, sealed, unsealed, write_whole
from chaosbench.kernels import for_exponents
from chaosbench.spec import Content
from chaosbench.systems.attractors import attractors
from chaosbench.systems.base import ESCAPING, SystemSpec
from chaosbench.systems.certificate import Attractor
from chaosbench.systems.reference import Reference

_METHOD = "2"  # raise it when `survey` returns other numbers


def largest_exponent(system: SystemSpec) -> float:
    """Return the system's largest Lyapunov exponent [1 / system time], or zero if it cannot be distinguished from zero.

    The exponent comes from a published reference or a shipped certificate; otherwise it is computed on first use and
    cached.

    Raises:
        DataError: if an orbit escapes to infinity.
    """
    reference = system.reference or cached_reference(system)
    return 0.0 if abs(reference.largest) <= reference.tolerances[0] else reference.largest


class Survey(Content):
    """The largest exponent of a system without a certificate, and its attractors if there are several."""

    reference: Reference  # of the attractor that the system chooses, or else that its start leads to
    attractors: tuple[Attractor, ...] = ()  # most frequent first; empty if all orbits end on the same one
    attractor: int = 0  # number of the attractor whose exponent the reference holds


def cached_reference(system: SystemSpec) -> Reference:
    """Return the system's largest exponent from the cache, or compute it within seconds.

    Raises:
        DataError: if orbits escape to infinity.
    """
    return cached_survey(system).reference


@lru_cache(maxsize=256)
def cached_survey(system: SystemSpec) -> Survey:
    """Return the system's largest exponent and attractors from the cache, or compute them within seconds.

    Raises:
        DataError: if orbits escape to infinity, or no attractor has the regime that the system chooses.
    """
    path = cache_folder() / "exponents" / f"{cache_key(system, _METHOD)}.survey"
    try:
        return Survey.model_validate_json(unsealed(path.read_bytes()) or b"")
    except (OSError, ValidationError):  # absent or damaged
        found = survey(system)
    with contextlib.suppress(OSError):  # a folder that cannot be written costs time only
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda beside: beside.write_bytes(sealed(found.model_dump_json(indent=1).encode())))
    return found


@for_exponents()
def survey(system: SystemSpec, *, members: int = 256, seed: int = 0) -> Survey:
    """Compute the system's largest exponent, and find its attractors.

    Args:
        system: the system.
        members: number of orbits, besides the one from the system's start.
        seed: seed of the initial states.

    Raises:
        DataError: if orbits escape to infinity, or no attractor has the regime that the system chooses.
    """
    free = system.replaced(attractor=None) if isinstance(system.attractor, str) else system
    first, generator = free.first_start(), torch.Generator().manual_seed(seed)
    states = free.initial_state(members, generator)
    if first is not None:
        begin = free.replaced(attractor=tuple(first.tolist())).initial_state(1, generator)
        states = torch.cat([begin, states])
    found, ensemble = attractors(free, states)
    if (len(states) - len(ensemble.states)) > ESCAPING * len(states):
        raise system.escape_error("; expected a bounded attractor")
    number = chosen_attractor(system, found, None if first is None else 0)
    every = 5
    several = records(free, found, ensemble, total=len(ensemble.states), every=every, seed=seed)
    reference = spectrum(system, found[number], ensemble, every, seed)
    return Survey(reference=reference, attractors=several if len(found) > 1 else (), attractor=number)


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
        Means over the ensemble with Student-t intervals of 95 %. Coexisting attractors are not told apart.

    Raises:
        DataError: if an orbit escapes to infinity.
    """
    states = system.initial_state(members, torch.Generator().manual_seed(seed)) if states is None else states
    count = exponents or system.leading
    # Average first, sort last: sorting each member's exponents would bias close ones apart.
    blocks = min(10, steps)
    each = finite_time_exponents(
        system, states, steps=steps, transient=transient, every=every, exponents=count, dt=system.dt, blocks=blocks
    ).double()
    bounded = ~each[..., 0].isnan().any(-1)
    if int((~bounded).sum()) > ESCAPING * len(states):
        raise system.escape_error("; expected a bounded attractor")
    means, intervals = mean_and_interval(each[bounded])
    mean, order = means.sort(descending=True)
    interval = intervals[order]
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
