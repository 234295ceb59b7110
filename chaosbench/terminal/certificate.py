"""The certificate of a system as text and as JSON."""

from typing import Any

from rich.console import Console
from rich.status import Status
from rich.text import Text

from chaosbench.formats import duration
from chaosbench.systems.certificate import Attractor, Certificate, Check
from chaosbench.terminal.tables import table

_WORDS = {
    "chaotic": "is chaotic",
    "quasi-periodic": "is quasi-periodic: it never repeats itself, and neighbours do not separate exponentially",
    "periodic": "is periodic",
    "fixed point": "comes to rest at a fixed point",
    "divergent": "escapes to infinity",
    "onset of chaos": "is at the onset of chaos: after infinitely many period doublings, neither chaotic nor periodic",
    "undecided": "cannot be told: its largest exponent is zero or small and positive; a longer run decides",
}


def row(certificate: Certificate) -> dict[str, Any]:
    """Return the certificate and the quantities derived from it, for JSON."""
    reference = certificate.reference
    return {
        **certificate.model_dump(mode="json", exclude={"checks"}),
        "kaplan_yorke_dimension": reference.kaplan_yorke_dimension,
        "lower_bounds": certificate.truncated,
        "entropy_bound": reference.entropy_bound,
        "predictability_steps": certificate.predictability_steps,
        "checks": [{**check.model_dump(), "passed": check.passed} for check in certificate.checks],
        "passed": certificate.passed,
    }


def show(certificate: Certificate) -> None:
    """Print the exponents, the quantities derived from them, and every check."""
    console = Console(highlight=False, soft_wrap=True)
    reference = certificate.reference
    console.print(Text.assemble((certificate.label, "bold"), f" {_words(certificate)}\n"))
    for name, value in _facts(certificate):
        console.print(Text(f"{name + ': ':24}{value}"))
    rows = [
        (check.name, f"{check.measured:.2g}", f"{check.tolerance:g}", _verdict(check), check.meaning)
        for check in certificate.checks
    ]
    right = ("measured", "allowed")
    console.print(table(("check", *right, "", "meaning"), rows, width=console.width, right=right, bold="FAILED"))
    if certificate.attractors:
        _show_attractors(console, certificate)
    for remark in certificate.remarks:
        console.print(Text(remark))
    console.print(Text(f"{reference.source}: {reference.method}; intervals of 95 %"))


def _facts(certificate: Certificate) -> list[tuple[str, str]]:
    reference = certificate.reference
    pairs = zip(reference.exponents, reference.intervals, strict=True)
    steps, time = certificate.predictability_steps, reference.predictability_time
    trace = certificate.divergence
    more = "> " if certificate.truncated else ""
    why = "cannot be told" if certificate.regime == "undecided" else "none: the system is not chaotic"
    text = why if steps is None else f"{steps:.1f} [steps] = {time:.4g} [system time]"
    return [
        ("exponents", ", ".join(f"{value:.5f} ± {width:.5f}" for value, width in pairs) + " [1 / system time]"),
        ("mean trace, or mean ln |det J| of a map", "not known" if trace is None else f"{trace:.6g} [1 / system time]"),
        ("Kaplan-Yorke dimension", f"{more}{reference.kaplan_yorke_dimension:.4g}"),
        ("entropy bound", f"{more}{reference.entropy_bound:.4g} [nats / system time]"),
        ("predictability time", text),
        ("dt", f"{certificate.dt:g} [system time]"),
    ]


def _verdict(check: Check) -> str:
    return "ok" if check.passed else "FAILED"


def _words(certificate: Certificate) -> str:
    """Return the regime as the end of a sentence that begins with the system."""
    period = f", with a period of {certificate.period:.6g} [system time]" if certificate.period else ""
    words = _WORDS[certificate.regime] + (period if certificate.regime == "periodic" else "")
    if certificate.attractor is None:
        return words
    count, number = len(certificate.attractors), certificate.attractor + 1
    return f"has {count} attractors; the motion on number {number}, to which the numbers belong, {words}"


def _show_attractors(console: Console, certificate: Certificate) -> None:
    """Print a line for each attractor, and how to choose one."""
    headings = ("attractor", "share of orbits", "exponents [1 / system time]", "a state that leads to it")
    rows = []
    for number, one in enumerate(certificate.attractors, start=1):
        low, high = (100 * edge for edge in one.share_interval)
        pairs = list(zip(one.reference.exponents, one.reference.intervals, strict=True))[:4]
        row = (
            f"{number} {one.regime}" + (f", period {one.period:.5g}" if one.period else ""),
            f"{100 * one.share:.0f} % ({low:.0f} to {high:.0f})",
            ", ".join(f"{value:.4f} ± {width:.4f}" for value, width in pairs),
            _state(one),
        )
        rows.append(row)
    console.print(table(headings, rows, width=console.width))
    console.print(
        Text('choose one by its regime or by a state: --set attractor=chaotic, or attractor = "chaotic" in a suite'),
    )


def _state(attractor: Attractor) -> str:
    numbers = ", ".join(f"{value:.6g}" for value in attractor.start[:4])
    text = f"[{numbers}{', …' if len(attractor.start) > 4 else ''}]"
    return text if attractor.verified else f"{text} (not verified)"


class Countdown:
    """Shows the phase of a certificate and the time left on a terminal, and nothing elsewhere."""

    def __init__(self, label: str) -> None:
        console = Console(stderr=True)
        self._label = label
        self._status: Status | None = console.status(label) if console.is_terminal else None

    def __enter__(self) -> "Countdown":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def report(self, phase: str, left: float) -> None:
        """Show the phase and the time left [seconds]."""
        if self._status is not None:
            self._status.update(f"{self._label}: {phase}, {duration(left)} left")
