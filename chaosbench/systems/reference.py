"""What is certified about a system: its Lyapunov exponents, and how well they are known."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field

from chaosbench.dynamics import entropy_bound, finite_time_exponents, kaplan_yorke_dimension
from chaosbench.errors import DataError
from chaosbench.spec import Content

if TYPE_CHECKING:
    from chaosbench.systems.base import SystemSpec


class Reference(Content):
    """Lyapunov exponents at one set of parameters, leading ones first."""

    parameters: Mapping[str, Any]  # of the equation; the numerical method's are no part of it
    exponents: tuple[float, ...] = Field(min_length=1)  # descending [1 / system time]
    intervals: tuple[float, ...]  # half widths of 95 % confidence [1 / system time]
    source: str
    method: str

    @property
    def largest(self) -> float:
        """The largest exponent [1 / system time]."""
        return self.exponents[0]

    @property
    def chaotic(self) -> bool:
        """Whether the largest exponent is positive beyond its interval."""
        return self.exponents[0] > self.intervals[0]

    @property
    def kaplan_yorke_dimension(self) -> float:
        """Kaplan-Yorke dimension of the exponents known."""
        return float(kaplan_yorke_dimension(torch.tensor(self.exponents, dtype=torch.float64)))

    @property
    def entropy_bound(self) -> float:
        """Sum of the positive exponents, which bounds the metric entropy [nats / system time]."""
        return float(entropy_bound(torch.tensor(self.exponents, dtype=torch.float64)))

    @property
    def predictability_time(self) -> float | None:
        """ln 2 / lambda_1, in which a small error doubles [system time]; None where there is no chaos."""
        return math.log(2) / self.largest if self.chaotic else None


def measured_reference(
    system: "SystemSpec",
    *,
    members: int = 256,
    steps: int = 2000,
    transient: int = 500,
    every: int = 5,
    exponents: int | None = None,
    seed: int = 0,
) -> Reference:
    """Exponents of a system's attractor, measured on an ensemble of orbits in float64.

    Args:
        system: the system.
        members: orbits in the ensemble, each from its own state on the attractor.
        steps: length of each orbit [steps].
        transient: steps in which tangent vectors are aligned and nothing is counted [steps].
        every: steps between two orthonormalisations [steps].
        exponents: how many, leading ones first; None is all.
        seed: of the initial states.

    Returns:
        Means over the ensemble, with 1.96 standard errors of the mean as intervals.
    """
    states = system.initial_state(members, torch.Generator().manual_seed(seed))
    # Averaged first and sorted last: to sort each member's own would push near exponents apart.
    each = finite_time_exponents(
        system, states, steps=steps, transient=transient, every=every, exponents=exponents, dt=system.dt
    )
    if not bool(torch.isfinite(each[:, 0]).all()):
        raise DataError(f"an orbit of {system.label} escapes to infinity; expected a bounded attractor")
    mean, order = each.mean(0).sort(descending=True)
    interval = 1.96 * each.std(0)[order] / math.sqrt(members)
    ensemble = f"{members} orbits of {steps} steps after {transient}, dt {system.dt:g}, seed {seed}"
    return Reference(
        parameters=system.parameters,
        exponents=tuple(mean.tolist()),
        intervals=tuple(interval.tolist()),
        source="computed by chaosbench",
        method=f"tangent dynamics in float64, QR every {every} steps: {ensemble}; 1.96 standard errors over the orbits",
    )
