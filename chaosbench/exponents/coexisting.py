"""Coexisting attractors: which one is meant, and a record of each."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from chaosbench.dynamics import Ensemble, Found, find_attractors
from chaosbench.errors import DataError
from chaosbench.intervals import share_interval
from chaosbench.systems.attractors import stretch
from chaosbench.systems.base import SystemSpec
from chaosbench.systems.certificate import Attractor
from chaosbench.systems.flow import Flow
from chaosbench.systems.reference import Reference

COPIES = 8  # orbits from around a state, which show whether it leads to its attractor
_DIGITS = 8  # of the numbers of a state
_LEAST = -1e3  # [1 / system time]; a superstable cycle has the exponent -inf, which no file holds


def chosen_attractor(system: SystemSpec, found: Sequence[Found], first: int | None) -> int:
    """Return the number of the attractor that a system chooses by its regime, or else that its start leads to.

    Args:
        system: the system.
        found: its attractors, most frequent first.
        first: number of the orbit from the system's start; None if there is none.

    Raises:
        DataError: if no attractor has the chosen regime.
    """
    if isinstance(system.attractor, str):
        for number, attractor in enumerate(found):
            if attractor.regime == system.attractor:
                return number
        raise DataError(
            f"no orbit of {system.label} is on an attractor of regime {system.attractor!r}; there is: {names(found)}"
        )
    numbers = [number for number, attractor in enumerate(found) if first is not None and first in attractor.orbits]
    return numbers[0] if numbers else 0


def too_short(system: SystemSpec, ensemble: Ensemble) -> str:
    """Return the remark that a flow's orbits are too short to be sorted into attractors; empty if they are not.

    On a slow and a fast part of the same motion orbits look different.
    """
    covered = ensemble.steps * system.dt
    if not isinstance(system, Flow) or covered >= system.transient:
        return ""
    return (
        f"orbits of {covered:.3g} units of time are shorter than the transient of {system.transient:g}, and too short "
        f"to be sorted into attractors; a budget {4 * system.transient / covered:.2g} times as large would do"
    )


def names(found: Sequence[Found]) -> str:
    """Return the attractors with their shares in one line: "fixed point (66 %), chaotic (14 %)"."""
    total = sum(len(one.orbits) for one in found)
    return ", ".join(f"{one.regime} ({100 * len(one.orbits) / total:.0f} %)" for one in found)


def spectrum(system: SystemSpec, attractor: Found, ensemble: Ensemble, every: int, seed: int) -> Reference:
    """Return the exponents of an attractor with their origin, rounded to eight decimals."""
    precision = str(ensemble.states.dtype).removeprefix("torch.")
    orbits = f"{len(attractor.orbits)} orbits of {ensemble.steps} steps after {ensemble.transient}"
    return Reference(
        parameters=system.parameters,
        exponents=tuple(round(value, 8) for value in attractor.exponents.clamp(min=_LEAST).tolist()),
        intervals=tuple(round(value, 8) for value in attractor.intervals.nan_to_num(0.0, posinf=0.0).tolist()),
        resolution=round(ensemble.resolution, 8),
        source="computed by chaosbench",
        method=f"tangent dynamics in {precision}, QR every {every} steps: {orbits}, dt {system.dt:g}, seed {seed}",
    )


def records(
    system: SystemSpec,
    found: Sequence[Found],
    ensemble: Ensemble,
    *,
    total: int,
    every: int,
    seed: int,
) -> tuple[Attractor, ...]:
    """Return a record of each attractor; their states are not verified yet.

    Args:
        total: number of orbits that were sorted.
    """
    return tuple(
        Attractor(
            regime=one.regime,
            orbits=len(one.orbits),
            share=len(one.orbits) / total,
            share_interval=share_interval(len(one.orbits), total),
            period=one.period,
            start=tuple(float(f"{value:.{_DIGITS}g}") for value in ensemble.states[one.orbits[0]].tolist()),
            verified=False,
            reference=spectrum(system, one, ensemble, every, seed),
        )
        for one in found
    )


def copies(system: SystemSpec, attractors: Sequence[Attractor]) -> Tensor:
    """Return states around the start of each attractor, `(N * COPIES, S)`, in the order of the attractors."""
    starts = [
        system.replaced(attractor=one.start).random_starts(COPIES, Generator().manual_seed(0)) for one in attractors
    ]
    return torch.cat(starts)


def verified(
    system: SystemSpec, attractors: Sequence[Attractor], ensemble: Ensemble, *, longest: int
) -> tuple[Attractor, ...]:
    """Return the records, those verified of which all copies of the start stay together, apart from the others.

    Args:
        ensemble: the orbits of `copies`.
        longest: longest stretch that is searched for repetitions [steps].
    """
    if not bool(ensemble.bounded.all()):
        return tuple(attractors)
    paths = [stretch(system, states, longest=longest) for states in (ensemble.starts, ensemble.states)]
    found, sorting = find_attractors(ensemble, paths, continuous=system.continuous, neutral=system.neutral)
    groups = sorting.groups.view(-1, COPIES)
    together = (groups == groups[:, :1]).all(1) & (groups[:, 0] >= 0)
    apart = [int((groups[:, 0] == own).sum()) == 1 for own in groups[:, 0]]
    return tuple(
        one.replaced(
            verified=bool(whole) and alone and found[int(group[0])].regime in (one.regime, "undecided"),
        )
        for one, whole, alone, group in zip(attractors, together, apart, groups, strict=True)
    )
