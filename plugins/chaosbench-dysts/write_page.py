"""Write CERTIFICATES.md: what was computed for each system of dysts, beside the exponents that dysts stores."""

import json
from pathlib import Path
from statistics import median
from typing import Any

from chaosbench_dysts import installed
from chaosbench_dysts.numerics import certificates

from chaosbench.files import write_whole
from chaosbench.systems import Reference

FOLDER = Path(__file__).parent
REASONS = ("undecided", "wide interval", "check failed", "refused", "not tried")
TITLES = {"dysts_flow": "Flows", "dysts_map": "Maps", "dysts_delay": "Delay systems"}
# Sprott 1994, Physical Review E 50, R647, table I: the largest exponents of his cases A to S.
SPROTT = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRS",
        (14, 210, 163, 103, 78, 117, 34, 117, 12, 76, 38, 61, 44, 76, 49, 87, 109, 62, 188),
        strict=True,
    )
)  # [1 / 1000 system time]
Verdicts = dict[str, dict[str, dict[str, Any]]]


def page(verdicts: Verdicts) -> str:
    """Return the page."""
    lines = [
        "# Certificates of the systems of dysts",
        "",
        f"For dysts {installed.VERSION}, written by `python write_page.py`. Largest exponents have 95 % intervals",
        "[1 / system time]; D is the Kaplan-Yorke dimension; *stored* is what dysts stores and chaosbench never uses.",
        "The [README](README.md#certificates) explains the verdicts.",
        "",
        *summary(verdicts),
    ]
    for kind, title in TITLES.items():
        head = "| system | verdict | largest exponent | D | stored |"
        lines += ["", f"## {title}", "", head, "|---|---|---|---|---|"]
        lines += [_row(kind, name, entry) for name, entry in verdicts[kind].items()]
    return "\n".join(lines) + "\n"


def summary(verdicts: Verdicts) -> list[str]:
    """Return the numbers of certified systems, and of the others by reason."""
    rows = [
        f"| | systems | chaotic | not chaotic | {' | '.join(REASONS)} |",
        "|---|---|---|" + "---|" * (1 + len(REASONS)),
    ]
    for kind, title in TITLES.items():
        entries = verdicts[kind].values()
        certified = [entry for entry in entries if entry["verdict"] == "certified"]
        chaotic = sum(entry["regime"] == "chaotic" for entry in certified)
        others = [sum(entry["verdict"] == reason for entry in entries) for reason in REASONS]
        cells = [title.lower(), len(entries), chaotic, len(certified) - chaotic, *others]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return [*rows, "", *_sprott()]


def _sprott() -> list[str]:
    """Return a sentence on the systems whose exponents Sprott published."""
    stored, ours, theirs = installed.table("flows"), [], []
    for case, published in SPROTT.items():
        certificate = certificates().get(("dysts_flow", f"Sprott{case}"))
        if certificate is not None and certificate["regime"] == "chaotic":
            value = published / 1000
            ours.append(abs(certificate["reference"]["exponents"][0] - value) / value)
            theirs.append(abs(stored[f"Sprott{case}"]["maximum_lyapunov_estimated"] - value) / value)
    if not ours:
        return []
    return [
        f"Of the {len(SPROTT)} systems A to S of Sprott (1994), {len(ours)} are certified as chaotic. Their largest",
        f"exponents differ from his, of three decimals, by {median(ours):.1%} in the median and {max(ours):.1%} at",
        f"most; those that dysts stores differ by {median(theirs):.1%} and {max(theirs):.0%}.",
    ]


def _row(kind: str, name: str, entry: dict[str, Any]) -> str:
    verdict = entry["verdict"]
    if verdict == "certified":
        verdict = entry["regime"]
    elif verdict == "check failed":
        verdict = f"{entry['regime']}; fails: {', '.join(entry['failed'])}"
    elif verdict == "wide interval":
        verdict = f"{entry['regime']}; wide interval"
    elif verdict == "refused":
        verdict = f"refused: {' '.join(entry['reason'].split())[:160]}"
    value = f"{entry['largest']:.4g} ± {entry['interval']:.1g}" if "largest" in entry else ""
    certificate = certificates().get((kind, name))
    dimension = "" if certificate is None else _dimension(certificate)
    stored = installed.table("maps" if kind == "dysts_map" else "flows")[name].get("maximum_lyapunov_estimated")
    return f"| {name} | {verdict} | {value} | {dimension} | {'' if stored is None else f'{stored:.4g}'} |"


def _dimension(certificate: Any) -> str:
    reference = Reference.model_validate(certificate["reference"])
    truncated = len(reference.exponents) < (certificate["state_size"] or 0)
    dimension = reference.kaplan_yorke_dimension
    return f"{'> ' if truncated and dimension >= len(reference.exponents) else ''}{dimension:.3f}"


def main() -> None:
    """Write the page."""
    verdicts = json.loads((FOLDER / "verdicts.json").read_text("utf-8"))
    write_whole(FOLDER / "CERTIFICATES.md", lambda beside: beside.write_text(page(verdicts), encoding="utf-8"))


if __name__ == "__main__":
    main()
