"""A system's certificate, for people and as a row."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chaosbench.systems.certificate import Certificate, Check


def row(certificate: Certificate) -> dict[str, Any]:
    """The certificate with all that follows from it, for programs."""
    known = certificate.reference
    return {
        **certificate.model_dump(mode="json", exclude={"checks"}),
        "kaplan_yorke_dimension": known.kaplan_yorke_dimension,
        "entropy_bound": known.entropy_bound,
        "predictability_steps": certificate.predictability_steps,
        "checks": [{**check.model_dump(), "passed": check.passed} for check in certificate.checks],
        "passed": certificate.passed,
    }


def show(certificate: Certificate) -> None:
    """The exponents, what follows from them, and every check with its number."""
    console = Console(highlight=False, soft_wrap=True)
    known = certificate.reference
    console.print(Text.assemble((certificate.label, "bold"), f" is {certificate.regime}\n"))
    for name, told in _facts(certificate):
        console.print(Text(f"{name + ':':24}{told}"))
    table = Table(box=box.HORIZONTALS, pad_edge=False)
    for heading, justify in (
        ("check", "left"),
        ("measured", "right"),
        ("allowed", "right"),
        ("", "left"),
        ("of", "left"),
    ):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]  # rich's own literals
    for check in certificate.checks:
        table.add_row(check.name, f"{check.measured:.2g}", f"{check.tolerance:g}", _verdict(check), Text(check.meaning))
    console.print(table, soft_wrap=False)
    for remark in certificate.remarks:
        console.print(Text(remark))
    console.print(Text(f"{known.source}: {known.method}; intervals of 95 %"))


def _facts(certificate: Certificate) -> list[tuple[str, str]]:
    known = certificate.reference
    pairs = zip(known.exponents, known.intervals, strict=True)
    steps, time = certificate.predictability_steps, known.predictability_time
    told = "none: the system is not chaotic" if steps is None else f"{steps:.1f} steps, {time:.4g} of system time"
    return [
        ("exponents", ", ".join(f"{value:.5f} ± {width:.5f}" for value, width in pairs)),
        ("mean divergence", "not known" if certificate.divergence is None else f"{certificate.divergence:.6g}"),
        ("Kaplan-Yorke dimension", f"{known.kaplan_yorke_dimension:.4g}"),
        ("entropy bound", f"{known.entropy_bound:.4g} nats / system time"),
        ("predictability time", told),
        ("dt", f"{certificate.dt:g}"),
    ]


def _verdict(check: Check) -> Text:
    return Text("ok", "green") if check.passed else Text("FAILED", "bold red")
