"""What is known of a system's Lyapunov exponents, and how well."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.dynamics import entropy_bound, finite_time_exponents, kaplan_yorke_dimension, student
from chaosbench.errors import DataError
from chaosbench.spec import Content

if TYPE_CHECKING:
    from chaosbench.systems.base import SystemSpec

ROUNDING = 1e-6  # [1 / system time]; no exponent is known better


class Reference(Content):
    """Lyapunov exponents at one set of parameters, leading ones first."""

    parameters: Mapping[str, Any]  # of the equation; the numerical method's are no part of it
    exponents: tuple[float, ...] = Field(min_length=1)  # descending [1 / system time]
    intervals: tuple[float, ...]  # half widths of 95 % confidence [1 / system time]
    resolution: float = Field(default=0.0, ge=0)  # what an orbit as long as this shows without any chaos
    source: str
    method: str

    @property
    def largest(self) -> float:
        """The largest exponent [1 / system time]."""
        return self.exponents[0]

    @property
    def tolerances(self) -> tuple[float, ...]:
        """What is closer to zero than this cannot be told from zero [1 / system time]."""
        return tuple(interval + self.resolution + ROUNDING for interval in self.intervals)

    @property
    def chaotic(self) -> bool:
        """Whether the largest exponent is positive beyond doubt."""
        return self.exponents[0] > self.tolerances[0]

    @property
    def kaplan_yorke_dimension(self) -> float:
        """Kaplan-Yorke dimension of the exponents known."""
        return float(kaplan_yorke_dimension(self._settled()))

    @property
    def entropy_bound(self) -> float:
        """Sum of the positive exponents, which bounds the metric entropy [nats / system time]."""
        return float(entropy_bound(self._settled()))

    @property
    def predictability_time(self) -> float | None:
        """ln 2 / lambda_1, in which a small error doubles [system time]; None where there is no chaos."""
        return math.log(2) / self.largest if self.chaotic else None

    def _settled(self) -> Tensor:
        """The exponents; zero where they cannot be told from zero, so that noise is counted neither way."""
        pairs = zip(self.exponents, self.tolerances, strict=True)
        return torch.tensor([0.0 if abs(value) <= width else value for value, width in pairs], dtype=torch.float64)


def measured_reference(
    system: "SystemSpec",
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
    interval = student(len(states) - 1) * each.std(0)[order] / math.sqrt(len(states))
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
