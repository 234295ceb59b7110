"""The page of systems outside the catalogue, from their definitions and stored certificates."""

import math
import re
from collections.abc import Mapping, Sequence

from chaosbench.systems.certificate import Certificate
from docs.generate.markdown import table
from docs.generate.verdicts.agreement import ALLOWED, differences, dimension_gap, failed, gaps
from docs.generate.verdicts.rows import Row, Verdict

_SHOWN = 4  # exponents in a cell of the table
_PAGE = """\
# Certificates of systems outside the catalogue

Systems that chaosbench does not ship, or ships with other parameters, certified as a user would certify them: most
are a plain function of the state ([docs/generate/verdicts](generate/verdicts)), given to the functions behind
`chaosbench certify` ([certificates](certificates.md)). What is known about each comes from theory,
from a paper, or, where both give no number, from an independent program.

{summary}

Exponents are per unit of the system's time (per step for maps), with 95 % intervals. An exponent agrees if it differs
from the known one by at most {allowed:g} times the sum of both intervals, as in the checks of a certificate; exact
values have none. The interval of a published value is that of its source, or else two units of its last digit. A
certificate of one orbit, marked "orbit", holds for its start alone.

Published values were quoted without the books and papers at hand, so that a number, or its place in the source, may be
misquoted. Where a certificate agrees to all digits, the computation itself confirms the number. Six more systems were
certified and then left out, because their values disagreed with the quoted ones and neither could be confirmed: the
Moore-Spiegel oscillator (0.0938 computed, 0.1119 quoted), and the systems of Burke and Shaw (2.2488, 2.3088), Rucklidge
(0.1916, 0.0643) and Lü (1.3357, 1.5046), the labyrinth of cyclic symmetry (0.092, 0.1402; an independent program gives
0.097 and 0.094), and the generalised Hénon map (0.224, 0.276). Parameters that differ between authors may be the cause.

`python -m docs.generate.verdicts certify` computes what has changed; `python -m docs.generate.verdicts >
docs/verdicts.md` writes this page.

## Where they differ

{different}
## Checks that failed

{failed}
## All systems

The run is the number of orbits times the length of each in the system's time, and the computing time on one core.

{table}

## Equations and sources

{sources}"""


def page(rows: Sequence[Row], verdicts: Mapping[str, Verdict]) -> str:
    """Return the page in Markdown, with every row that has a stored verdict."""
    pairs = [(row, verdicts[row.name]) for row in rows if row.name in verdicts]
    header = ("system", "verdict", "known exponents", "computed", "Kaplan-Yorke dimension", "run")
    return _PAGE.format(
        summary=_summary(pairs),
        allowed=ALLOWED,
        different=_reasons([(row, differences(row, one)) for row, one in pairs]),
        failed=_reasons([(row, failed(one)) for row, one in pairs]),
        table=table(header, [_cells(row, one) for row, one in pairs]),
        sources="".join(f"* **{row.name}**: {_first_line(row)} Known: {row.source}.\n" for row, _ in pairs),
    )


def _summary(pairs: Sequence[tuple[Row, Verdict]]) -> str:
    agreeing = sum(not differences(row, one) for row, one in pairs)
    units = [gap for row, one in pairs if one.certificate for gap in gaps(row, one.certificate)]
    chaotic = sum(row.known.words == ("chaotic",) for row, _ in pairs)
    passed = sum(one.state == "passed" for _, one in pairs)
    near, close = (sum(gap <= limit for gap in units) for limit in (1, ALLOWED))
    return (
        f"**{agreeing} of {len(pairs)} systems** ({chaotic} of them chaotic) agree in the verdict and in every known "
        f"exponent and\ndimension. Of {len(units)} known exponents, {near} differ by less than the sum of both "
        f"intervals, and {close} by less than\n{ALLOWED:g} times that. Every check passed for {passed} systems."
    )


def _reasons(cases: Sequence[tuple[Row, list[str]]]) -> str:
    """Return a list of the rows that something is said about, with the note of each."""
    lines = [f"* **{row.name}** ({', '.join(what)}): {row.note}\n" for row, what in cases if what]
    return "".join(lines) or "None.\n"


def _cells(row: Row, verdict: Verdict) -> tuple[str, ...]:
    name = row.name if row.orbit is None else f"{row.name}, orbit"
    known = _listed([f"{value:.7g}" for value in row.known.exponents])
    known += f" ± {row.known.error:g}" if row.known.error else ""
    certificate = verdict.certificate
    if certificate is None:
        return name, "refused", known, "", "", f"{verdict.seconds:.0f} s"
    checks = failed(verdict)
    words = certificate.regime + (f"; failed: {', '.join(checks)}" if checks else "")
    pairs = zip(certificate.reference.exponents, certificate.reference.intervals, strict=True)
    computed = _listed([_with_width(value, width) for value, width in pairs])
    return name, words, known, computed, _dimension(row, certificate), _run(certificate, verdict.seconds)


def _listed(texts: Sequence[str]) -> str:
    """Return the first entries with a typographic minus sign."""
    return ", ".join([*texts[:_SHOWN], *(["…"] if len(texts) > _SHOWN else [])]).replace("-", "−")


def _with_width(value: float, width: float) -> str:
    """Return a value with its interval, to two digits of the interval and at most six decimals."""
    digits = 6 if width < 1e-6 else min(6, max(1, 1 - math.floor(math.log10(width))))
    return f"{value + 0.0:.{digits}f} ± {width:.{digits}f}".replace(f"-{0:.{digits}f}", f"{0:.{digits}f}")


def _dimension(row: Row, certificate: Certificate) -> str:
    own = f"{'> ' if certificate.truncated else ''}{certificate.reference.kaplan_yorke_dimension:.4g}"
    return own if dimension_gap(row, certificate) is None else f"{own} (known: {row.known.dimension[0]:g})"


def _run(certificate: Certificate, seconds: float) -> str:
    """Return the number and the length of the orbits, and the computing time."""
    found = re.search(r"(\d+|one) orbits? of (\d+) steps", certificate.reference.method)
    assert found is not None, "every certificate states its orbits"
    orbits, steps = found.groups()
    return f"{orbits.replace('one', '1')} x {int(steps) * certificate.dt:g}, {seconds:.0f} s"


def _first_line(row: Row) -> str:
    """Return the first line of the docstring of the row's equation."""
    return (row.spec.__doc__ or "").strip().split("\n")[0]
