"""The certificate of a system as text and as JSON."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chaosbench.systems.certificate import Certificate, Check


def row(certificate: Certificate) -> dict[str, Any]:
    """Return the certificate and the quantities derived from it, for JSON."""
    reference = certificate.reference
    return {
        **certificate.model_dump(mode="json", exclude={"checks"}),
        "kaplan_yorke_dimension": reference.kaplan_yorke_dimension,
        "entropy_bound": reference.entropy_bound,
        "predictability_steps": certificate.predictability_steps,
        "checks": [{**check.model_dump(), "passed": check.passed} for check in certificate.checks],
        "passed": certificate.passed,
    }


def show(certificate: Certificate) -> None:
    """Print the exponents, the quantities derived from them, and every check."""
    console = Console(highlight=False, soft_wrap=True)
    reference = certificate.reference
    console.print(Text.assemble((certificate.label, "bold"), f" is {certificate.regime}\n"))
    for name, value in _facts(certificate):
        console.print(Text(f"{name + ':':24}{value}"))
    table = Table(box=box.HORIZONTALS, pad_edge=False)
    for heading, justify in (
        ("check", "left"),
        ("measured", "right"),
        ("allowed", "right"),
        ("", "left"),
        ("meaning", "left"),
    ):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]  # rich's own literals
    for check in certificate.checks:
        table.add_row(check.name, f"{check.measured:.2g}", f"{check.tolerance:g}", _verdict(check), Text(check.meaning))
    console.print(table, soft_wrap=False)
    for remark in certificate.remarks:
        console.print(Text(remark))
    console.print(Text(f"{reference.source}: {reference.method}; intervals of 95 %"))


def _facts(certificate: Certificate) -> list[tuple[str, str]]:
    reference = certificate.reference
    pairs = zip(reference.exponents, reference.intervals, strict=True)
    steps, time = certificate.predictability_steps, reference.predictability_time
    trace = certificate.divergence
    text = "none: the system is not chaotic" if steps is None else f"{steps:.1f} [steps] = {time:.4g} [system time]"
    return [
        ("exponents", ", ".join(f"{value:.5f} ± {width:.5f}" for value, width in pairs) + " [1 / system time]"),
        ("mean trace, or mean ln |det J| of a map", "not known" if trace is None else f"{trace:.6g} [1 / system time]"),
        ("Kaplan-Yorke dimension", f"{reference.kaplan_yorke_dimension:.4g}"),
        ("entropy bound", f"{reference.entropy_bound:.4g} [nats / system time]"),
        ("predictability time", text),
        ("dt", f"{certificate.dt:g} [system time]"),
    ]


def _verdict(check: Check) -> Text:
    return Text("ok", "green") if check.passed else Text("FAILED", "bold red")
