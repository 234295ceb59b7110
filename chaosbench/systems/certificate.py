"""Certificates of systems: Lyapunov exponents and the checks of their computation; and the shipped certificates."""

import json
from functools import lru_cache
from importlib import resources

from chaosbench.dynamics import AttractorRegime
from chaosbench.spec import Content
from chaosbench.systems.reference import Reference


class Check(Content):
    """A number that must not exceed its tolerance."""

    name: str
    meaning: str
    measured: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """True if the number is within its tolerance."""
        return self.measured <= self.tolerance


class Attractor(Content):
    """One of several attractors that the orbits of a system end on."""

    regime: AttractorRegime
    orbits: int  # that ended on it
    share: float  # of all orbits
    share_interval: tuple[float, float]  # of 95 %
    period: float | None  # after which its orbits repeat themselves [system time]
    start: tuple[float, ...]  # a state that leads to it
    verified: bool  # orbits from around this state end on it, in a run of their own
    reference: Reference


class Certificate(Content):
    """Lyapunov exponents of a system and the checks of their computation.

    Where several attractors coexist, all numbers are those of one of them: of the attractor that the system chooses, or
    else that its start leads to.
    """

    kind: str
    label: str
    dt: float  # [system time] per step
    budget: float  # [seconds]
    regime: AttractorRegime
    divergence: float | None  # mean trace of the field's Jacobian, or mean ln |det J| of a map [1 / system time]
    reference: Reference
    checks: tuple[Check, ...]
    remarks: tuple[str, ...] = ()  # checks that could not be made, and why
    attractors: tuple[Attractor, ...] = ()  # most frequent first; empty if all orbits end on the same one
    attractor: int | None = None  # number of the attractor whose exponents these are, from 0; None if there is one only
    period: float | None = None  # after which orbits repeat themselves [system time]; None if they do not
    state_size: int | None = None  # number of all exponents; None: as many as the reference has

    @property
    def passed(self) -> bool:
        """True if every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def truncated(self) -> bool:
        """True if so few exponents are computed that dimension and entropy may be larger than they show."""
        exponents = self.reference.exponents
        return (
            self.state_size is not None
            and len(exponents) < self.state_size
            and self.reference.kaplan_yorke_dimension >= len(exponents)
        )

    @property
    def predictability_steps(self) -> float | None:
        """tau_pred = ln 2 / lambda_1 [steps]; None if the system is not chaotic."""
        time = self.reference.predictability_time
        return None if time is None else time / self.dt


@lru_cache(maxsize=1)
def shipped_certificates() -> dict[str, tuple[Certificate, ...]]:
    """Return the shipped certificates by kind; the first of each kind is for the default parameters."""
    certificates: dict[str, tuple[Certificate, ...]] = {}
    for content in json.loads(resources.files(__package__).joinpath("certificates.json").read_text("utf-8")):
        certificate = Certificate.model_validate(content)
        certificates[certificate.kind] = (*certificates.get(certificate.kind, ()), certificate)
    return certificates
