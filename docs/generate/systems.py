"""The catalogue as a page: `python -m docs.generate.systems > docs/systems.md`."""

import inspect

from chaosbench.systems.base import SystemSpec
from chaosbench.systems.certificate import Certificate, shipped_certificates
from docs.generate.certificates import SHIPPED

_INTRODUCTION = """\
# Systems

Every number below was measured by `chaosbench certify KIND`, which checks it before it shows it: against half the
numerical step, against single precision, against the mean divergence (or mean ln |det J|) of the same orbits, and
against the exponents that must be zero. Intervals are of 95 %. `python -m docs.generate.certificates` measures them all
again, and `python -m docs.generate.systems > docs/systems.md` makes this page.

tau_pred = ln 2 / lambda_1 is the time in which a small error doubles; a system that is not chaotic has none.

| system | regime | dt | leading exponents [1 / system time] | Kaplan-Yorke dimension | tau_pred [steps] |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The page, in Markdown."""
    certificates = [certificate for group in shipped_certificates().values() for certificate in group]
    table = "".join(_row(certificate) for certificate in certificates)
    defaults = {system.kind: system for system in reversed(SHIPPED)}
    chapters = [_chapter(defaults[kind], group[0]) for kind, group in shipped_certificates().items()]
    return _INTRODUCTION + table + "".join(chapters)


def _row(certificate: Certificate) -> str:
    known = certificate.reference
    pairs = list(zip(known.exponents, known.intervals, strict=True))
    told = ", ".join(f"{value:.4f} ± {width:.4f}".replace("-", "−") for value, width in pairs[:4])
    told += ", …" if len(pairs) > 4 else ""
    steps = certificate.predictability_steps
    time = "none" if steps is None else f"{steps:.1f}"
    dimension = f"{known.kaplan_yorke_dimension:.3f}"
    return f"| `{certificate.label}` | {certificate.regime} | {certificate.dt:g} | {told} | {dimension} | {time} |\n"


def _chapter(system: SystemSpec, certificate: Certificate) -> str:
    text = inspect.getdoc(type(system)) or ""
    body, _, source = text.partition("\n\nSource:\n")
    summary, *rest = body.split("\n\n")
    parameters = ", ".join(f"{name} = {value:.10g}" for name, value in system.parameters.items())
    # The numbers of a check are a measured deviation, and the largest allowed.
    checks = "; ".join(f"{check.name} {check.measured:.2g} of {check.tolerance:g}" for check in certificate.checks)
    known = certificate.reference
    paragraphs = [
        f"\n## {system.kind}",
        _line(summary),
        *(f"    {part}" if part.startswith(("x", "u_t")) and "=" in part else _line(part) for part in rest),
        f"Defaults: {parameters}; dt = {system.dt:g}. Observed: {_observed(system)}.",
        f"Source: {_line(source)}",
        f"Certificate: {checks}. Measured by {known.method}. {' '.join(certificate.remarks)}".rstrip(),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _observed(system: SystemSpec) -> str:
    hidden = system.state_size - system.dimension
    return f"{system.dimension} of a state of {system.state_size}" if hidden else f"all {system.dimension}"


def _line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    print(page(), end="")
