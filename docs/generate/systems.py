"""Write the catalogue of systems: `python -m docs.generate.systems > docs/systems.md`."""

import inspect
from textwrap import indent

from chaosbench.systems.base import SystemSpec
from chaosbench.systems.certificate import Certificate, shipped_certificates
from docs.generate.certificates import SHIPPED

_INTRODUCTION = """\
# Systems

Every number below was computed by `chaosbench certify KIND` and passed its checks: the exponents agree with those at
half the numerical step and with those in single precision, and as many of them are zero as symmetries require. Where
all exponents are computed, they sum to the mean trace of the Jacobian (for maps to the mean of ln |det J|); of
`mackey_glass` and `kuramoto_sivashinsky` only the leading ones are, so that their sums are not checked. Intervals are
95 % confidence intervals.
`python -m docs.generate.certificates` computes all numbers again, and
`python -m docs.generate.systems > docs/systems.md` writes this page.

tau_pred = ln 2 / lambda_1 is the time in which a small error doubles; systems that are not chaotic have none.

| system | regime | dt | leading exponents [1 / system time] | Kaplan-Yorke dimension | tau_pred [steps] |
|---|---|---|---|---|---|
"""


def page() -> str:
    """Return the page in Markdown."""
    certificates = [certificate for group in shipped_certificates().values() for certificate in group]
    table = "".join(_row(certificate) for certificate in certificates)
    defaults = {system.kind: system for system in reversed(SHIPPED)}
    chapters = [_chapter(defaults[kind], group[0]) for kind, group in shipped_certificates().items()]
    return _INTRODUCTION + table + "".join(chapters)


def _row(certificate: Certificate) -> str:
    reference = certificate.reference
    pairs = list(zip(reference.exponents, reference.intervals, strict=True))
    exponents = ", ".join(f"{value:.4f} ± {width:.4f}".replace("-", "−") for value, width in pairs[:4])
    exponents += ", …" if len(pairs) > 4 else ""
    steps = certificate.predictability_steps
    time = "none" if steps is None else f"{steps:.1f}"
    dimension = f"{reference.kaplan_yorke_dimension:.3f}"
    return (
        f"| `{certificate.label}` | {certificate.regime} | {certificate.dt:g} | {exponents} | {dimension} | {time} |\n"
    )


def _is_equation(part: str) -> bool:
    return part.startswith(("x", "a'", "u_t")) and "=" in part


def _chapter(system: SystemSpec, certificate: Certificate) -> str:
    text = inspect.getdoc(type(system)) or ""
    body, _, source = text.partition("\n\nSource:\n")
    summary, *rest = body.split("\n\n")
    parameters = ", ".join(f"{name} = {value:.10g}" for name, value in system.parameters.items())
    # A check shows its deviation and the largest one allowed.
    checks = "; ".join(f"{check.name} {check.measured:.2g} of {check.tolerance:g}" for check in certificate.checks)
    method = certificate.reference.method
    paragraphs = [
        f"\n## {system.kind}",
        _line(summary),
        *(indent(part, "    ") if _is_equation(part) else _line(part) for part in rest),
        f"Defaults: {parameters}; dt = {system.dt:g}. Observed: {_observed(system)}.",
        f"Source: {_line(source)}",
        f"Certificate: {checks}. Computed by {method}. {' '.join(certificate.remarks)}".rstrip(),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _observed(system: SystemSpec) -> str:
    hidden = system.state_size - system.dimension
    return f"{system.dimension} of a state of {system.state_size}" if hidden else f"all {system.dimension}"


def _line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    print(page(), end="")
