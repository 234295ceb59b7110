"""The attractors of a system, from an ensemble of orbits that is followed for seconds."""

from typing import ClassVar, Protocol

import torch
from torch import Tensor

from chaosbench.dynamics import Ensemble, Found, find_attractors, follow, orbit

LEAST = 64  # [steps] of this stretch, even if there is no time for them
PATH = 1000  # [steps] of the stretch in which orbits are searched for repetitions
_BLOCKS = 50  # of which the first ten are for the alignment of tangents
_LARGEST = 30_000_000  # entries of the stored stretch


class _System(Protocol):
    """The part of a system that its attractors depend on."""

    neutral: ClassVar[int]
    survey_steps: ClassVar[int]

    @property
    def dt(self) -> float: ...
    @property
    def continuous(self) -> bool: ...
    def step(self, state: Tensor, /) -> Tensor: ...
    def tangent_step(self, state: Tensor, tangents: Tensor, /) -> tuple[Tensor, Tensor]: ...


def attractors(
    system: _System, states: Tensor, *, steps: int | None = None, every: int = 5, exponents: int | None = 1
) -> tuple[list[Found], Ensemble]:
    """Return the attractors that bounded orbits are on, most frequent first, and the ensemble of bounded orbits.

    Args:
        system: the system.
        states: `(B, S)`, behind the transient.
        steps: length of the run, a fifth of which is for the alignment of tangents; None: the system's own [steps].
        every: steps between two QR decompositions [steps].
        exponents: number of leading exponents; None: all.
    """
    steps, longest = steps or system.survey_steps, min(PATH, system.survey_steps)
    ensemble = follow(
        system,
        states,
        block_steps=max(1, steps // _BLOCKS),
        blocks=min(_BLOCKS, steps),
        every=every,
        exponents=exponents,
        dt=system.dt,
    )
    ensemble = ensemble.chosen(ensemble.bounded)
    if len(ensemble.states) == 0:
        return [], ensemble
    paths = [stretch(system, states, longest=longest) for states in (ensemble.starts, ensemble.states)]
    found, _ = find_attractors(ensemble, paths, continuous=system.continuous, neutral=system.neutral)
    return found, ensemble


@torch.no_grad()
def stretch(system: _System, states: Tensor, *, longest: int = PATH, least: int = LEAST) -> Tensor:
    """Return the orbits that follow `states`, `(B, T, S)`: `least` to `longest` steps, as many as fit into memory."""
    steps = max(least, min(longest, _LARGEST // max(1, states.numel())))
    return orbit(system, states, steps=steps)
