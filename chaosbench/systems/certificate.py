"""Certificates of systems: Lyapunov exponents and the checks of their computation; and the shipped certificates."""

import json
from functools import lru_cache
from importlib import resources

from chaosbench.dynamics import Regime
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


class Certificate(Content):
    """Lyapunov exponents of a system and the checks of their computation."""

    kind: str
    label: str
    dt: float  # [system time] per step
    budget: float  # [seconds]
    regime: Regime
    divergence: float | None  # mean trace of the field's Jacobian, or mean ln |det J| of a map [1 / system time]
    reference: Reference
    checks: tuple[Check, ...]
    remarks: tuple[str, ...] = ()  # checks that could not be made, and why

    @property
    def passed(self) -> bool:
        """True if every check passed."""
        return all(check.passed for check in self.checks)

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
