"""Compare certificates with exact and published values."""

from collections.abc import Iterable

import torch

from chaosbench.dynamics import kaplan_yorke_dimension
from chaosbench.systems.certificate import Certificate
from chaosbench.systems.reference import ROUNDING, Reference
from docs.generate.verdicts.rows import Row, Verdict

ALLOWED = 1.5  # times the sum of both intervals, as in the checks of a certificate


def gaps(row: Row, certificate: Certificate) -> list[float]:
    """Return the distance of each known exponent from the computed one, in units of the sum of both intervals.

    Tangents that grow as the time, without chaos, make a zero exponent appear as large as the resolution of the run.
    """
    ours = certificate.reference
    columns = zip(row.known.exponents, ours.exponents, ours.intervals, strict=False)
    return [
        abs(known - value) / (width + row.known.error + (ours.resolution if known == 0 else 0.0) + ROUNDING)
        for known, value, width in columns
    ]


def dimension_gap(row: Row, certificate: Certificate) -> float | None:
    """Return the distance of the Kaplan-Yorke dimension from the published one in these units; None without one."""
    if row.known.dimension is None:
        return None
    published, error = row.known.dimension
    ours = certificate.reference
    return abs(ours.kaplan_yorke_dimension - published) / (dimension_width(ours) + error)


def dimension_width(reference: Reference) -> float:
    """Return half the range of the dimension as all exponents move to the ends of their intervals."""
    exponents, widths = torch.tensor([reference.exponents, reference.intervals], dtype=torch.float64)
    high, low = (float(kaplan_yorke_dimension(exponents + sign * widths)) for sign in (1, -1))
    return (high - low) / 2


def differences(row: Row, verdict: Verdict) -> list[str]:
    """Return what differs from what is known, one phrase each; empty where all agrees."""
    if verdict.certificate is None:
        return ["refused"]
    certificate = verdict.certificate
    far = [f"exponent {i}" for i, gap in enumerate(gaps(row, certificate), start=1) if gap > ALLOWED]
    if len(certificate.reference.exponents) < len(row.known.exponents):
        far.append("fewer exponents than are known")
    if (dimension_gap(row, certificate) or 0.0) > ALLOWED:
        far.append("Kaplan-Yorke dimension")
    if certificate.regime not in row.known.words:
        far.append(f"verdict {certificate.regime}")
    return far


def failed(verdict: Verdict) -> list[str]:
    """Return the names of the checks that failed."""
    checks: Iterable = () if verdict.certificate is None else verdict.certificate.checks
    return [check.name for check in checks if not check.passed]
