"""Certificates: what was measured of a system, each check with its number; and those that are shipped."""

import json
from functools import lru_cache
from importlib import resources

from chaosbench.dynamics import Regime
from chaosbench.spec import Content
from chaosbench.systems.reference import Reference


class Check(Content):
    """Something that must hold, and by how much it does."""

    name: str
    meaning: str
    measured: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the number is within its tolerance."""
        return self.measured <= self.tolerance


class Certificate(Content):
    """A system's exponents, and the checks that they stood."""

    kind: str
    label: str
    dt: float  # [system time] per step
    budget: float  # [seconds]
    regime: Regime
    divergence: float | None  # mean trace of the Jacobian, or mean ln |det J| of a map [1 / system time]
    reference: Reference
    checks: tuple[Check, ...]
    remarks: tuple[str, ...] = ()  # what could not be checked, and why

    @property
    def passed(self) -> bool:
        """Whether every check did."""
        return all(check.passed for check in self.checks)

    @property
    def predictability_steps(self) -> float | None:
        """tau_pred = ln 2 / lambda_1 [steps]; None where there is no chaos."""
        time = self.reference.predictability_time
        return None if time is None else time / self.dt


@lru_cache(maxsize=1)
def shipped_certificates() -> dict[str, tuple[Certificate, ...]]:
    """The certificates that come with chaosbench, by kind, the default parameters' first."""
    found: dict[str, tuple[Certificate, ...]] = {}
    for content in json.loads(resources.files(__package__).joinpath("certificates.json").read_text()):
        certificate = Certificate.model_validate(content)
        found[certificate.kind] = (*found.get(certificate.kind, ()), certificate)
    return found
