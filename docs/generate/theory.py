"""Measured gradients beside the theorems: `python -m docs.generate.theory RESULTS > docs/theory.md`."""

import math
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaosbench.explain.explanation import brief
from chaosbench.explain.findings import Findings, findings
from chaosbench.formats import number
from chaosbench.labels import shortened
from chaosbench.leaderboard.folder import Stored, read
from chaosbench.leaderboard.store import folders
from chaosbench.theory.verdict import Theorem, Verdict

_INTRODUCTION = """\
# Theory beside measurement

Mikhaeil, Monfared and Durstewitz (2022, [arXiv 2110.07238](https://arxiv.org/abs/2110.07238)) tie the loss gradients
of a recurrent network to the Lyapunov exponents of its orbits, whatever its architecture. The suite `theory` trains
three architectures on chaotic, quasi-periodic and periodic data, and asks each trained network both questions: how fast
do its gradients grow with the horizon (gamma), and how fast do its orbits part (lambda_1)? How each is measured is
written in [diagnosis.md](diagnosis.md). Rates are per unit of system time; ± is a half width of 95 % confidence, and
beside it stands the range over seeds.

A seed is sorted by how its own network moves, not by its data: a network that failed to learn chaos is a case of
another theorem. This page is made of the tables in `leaderboards/theory`, which are those of a results directory after
`chaosbench run theory`."""

_SECTIONS: tuple[tuple[Theorem, str, str], ...] = (
    (
        "grow",
        "Theorem 2: chaotic networks",
        "The norm of dz_T/dz_0 grows as e^(lambda_1 T), so that gamma / lambda_1 is 1, for every gate and activation.",
    ),
    (
        "neither",
        "Theorem 3: quasi-periodic networks",
        "The norm grows or shrinks more slowly than any exponential: gamma is 0, and so is lambda_1. A limit cycle of "
        "a flow is a closed curve for the map that learns it, hence belongs here.",
    ),
    (
        "vanish",
        "Theorem 1: networks on fixed points and cycles",
        "The norm vanishes exponentially, at the rate of the cycle's own exponent: gamma / lambda_1 is 1, both "
        "below 0. The gradient of the loss with respect to the parameters stays bounded.",
    ),
    ("none", "Networks that diverge", "Of these the theorems say nothing."),
)


@dataclass(frozen=True)
class Case:
    """One seed and its verdict."""

    found: Findings
    reached: Verdict


def page(results: Path, pictures: Iterable[tuple[str, str]] = ()) -> str:
    """The page, of a results directory or of the tables kept of one.

    Args:
        pictures: files below docs/, and what they show.
    """
    stored = sorted((read(folder) for folder in folders(results)), key=lambda one: one.folder.name)
    cases = [
        Case(one, one.verdict())
        for experiment in stored
        for one in findings(experiment)
        if "bounded_share" in one.numbers
    ]
    labels = {noun: shortened(case.found.labels[noun] for case in cases) for noun in ("system", "model", "trainer")}
    parts = [_INTRODUCTION, _summary(cases)]
    parts += [f"![{text}]({name})\n\n{text}" for name, text in pictures]
    for theorem, title, statement in _SECTIONS:
        chosen = [case for case in cases if case.reached.expected == theorem]
        if chosen:
            parts += [f"## {title}", statement, _table(chosen, theorem, labels)]
    parts += ["## Verdict per run", _verdicts(stored, labels)]
    return "\n\n".join(parts) + "\n"


def _summary(cases: Sequence[Case]) -> str:
    if not cases:
        return "**Of no network is there a diagnosis.**"
    counts = Counter(case.reached.consistent for case in cases if case.reached.expected != "none")
    regimes = Counter(case.reached.regime for case in cases)
    told = ", ".join(f"{count} {kind}" for kind, count in regimes.most_common())
    ratios = sorted(case.reached.growth_ratio for case in cases if case.reached.growth_ratio is not None)
    middle = (
        f" Of the chaotic ones gamma / lambda_1 is {statistics.median(ratios):.2f} in the median." if ratios else ""
    )
    unknown = (
        f"; in {counts[None]} it cannot be told, because errors are too wide or free runs end on different attractors"
        if counts[None]
        else ""
    )
    return (
        f"**{len(cases)} trained networks: {told}. Growth and exponent agree within their errors in {counts[True]}, "
        f"disagree in {counts[False]}{unknown}.**{middle}"
    )


def _table(cases: Sequence[Case], theorem: Theorem, labels: dict[str, dict[str, str]]) -> str:
    heads = ["data", "network, training", "seeds", "gamma", "lambda_1 of the network", "of the data"]
    heads += ["gamma / lambda_1"] if theorem in ("grow", "vanish") else []
    heads += ["slope of log loss gradient", "agree"]
    rows = []
    groups: dict[tuple[str, str, str], list[Case]] = {}
    for case in cases:
        names = tuple(labels[noun][case.found.labels[noun]] for noun in ("system", "model", "trainer"))
        groups.setdefault(names, []).append(case)  # type: ignore[arg-type]  # of three
    for (system, model, trainer), group in groups.items():
        cells = [
            system,
            f"{model}, {trainer}",
            ", ".join(str(case.found.seed) for case in group),
            _spread([case.found.evidence().gamma for case in group], group, "gradient_growth"),
            _spread([case.found.evidence().exponent for case in group], group, "lyapunov_exponent_1"),
            number(group[0].found.data_exponent),
        ]
        if theorem in ("grow", "vanish"):
            cells.append(_ratio(group))
        answers = Counter({True: "yes", False: "NO", None: "?"}[case.reached.consistent] for case in group)
        told = ", ".join(f"{count} {answer}" for answer, count in answers.items())
        slopes = [case.found.numbers.get("loss_gradient_growth", math.nan) for case in group]
        rows.append([*cells, _spread(slopes, group, "loss_gradient_growth"), told])
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _spread(values: Sequence[float], group: Sequence[Case], name: str) -> str:
    """The median over seeds with its own interval; the range where there are more."""
    widths = [case.found.numbers.get(f"{name}_interval") for case in group]
    pairs = [pair for pair in zip(values, widths, strict=True) if not math.isnan(pair[0])]
    known = sorted(pairs, key=lambda pair: pair[0])
    if not known:
        return "-"
    value, width = known[(len(known) - 1) // 2]
    told = number(value) if width is None or math.isinf(value) else f"{number(value)} ± {number(width)}"
    return told if len(known) == 1 else f"{told} ({number(known[0][0])} to {number(known[-1][0])})"


def _ratio(group: Sequence[Case]) -> str:
    ratios = [
        case.found.numbers["gradient_growth"] / case.found.numbers["lyapunov_exponent_1"]
        for case in group
        if {"gradient_growth", "lyapunov_exponent_1"} <= case.found.numbers.keys()
        and not math.isclose(case.found.numbers["lyapunov_exponent_1"], 0.0)
    ]
    if not ratios:
        return ""
    told = f"{statistics.median(ratios):.2f}"
    return told if len(ratios) == 1 else f"{told} ({min(ratios):.2f} to {max(ratios):.2f})"


def _verdicts(stored: Sequence[Stored], labels: dict[str, dict[str, str]]) -> str:
    lines = []
    for experiment in stored:
        run = experiment.runs[0]
        names = {noun: labels[noun].get(run[noun], run[noun]) for noun in ("trainer", "model", "system")}
        lines.append("**{trainer} on {model}, {system}**\n".format(**names))
        lines += [f"- seed {one.seed}: {brief(one)}" for one in findings(experiment)]
        lines.append("")
    return "\n".join(lines).rstrip()


PICTURES = (
    (
        "pictures/theory-chaos.png",
        "A chaotic network: the Lorenz system, learned by an LSTM under sparse teacher forcing.",
    ),
    ("pictures/theory-torus.png", "Quasi-periodic networks: motion on a torus, learned by an LSTM."),
    ("pictures/theory-cycle.png", "Networks on a cycle of two steps, learned by an LSTM."),
)

if __name__ == "__main__":
    sys.stdout.write(page(Path(sys.argv[1]), PICTURES))
