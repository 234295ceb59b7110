"""The page on theorems and measured gradients: `python -m docs.generate.theory RESULTS > docs/theory.md`."""

import math
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from chaosbench.explain.explanation import brief
from chaosbench.explain.quantities import is_finite, with_interval
from chaosbench.explain.seed_result import SeedResult, seed_results
from chaosbench.formats import number
from chaosbench.labels import shortened
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.store import read_all
from chaosbench.theory.run_diagnosis import Exponent, RunDiagnosis
from chaosbench.theory.verdict import Theorem

_INTRODUCTION = """\
# Theory and measurement

Mikhaeil, Monfared and Durstewitz (2022, [arXiv 2110.07238](https://arxiv.org/abs/2110.07238)) relate the loss gradients
of a recurrent network to the Lyapunov exponents of its orbits, in every architecture. The suite `theory` trains three
architectures on chaotic, quasi-periodic and periodic data, and measures two rates of each trained network: how fast its
gradients grow with the horizon (gamma), and how fast neighbouring orbits separate (lambda_1).
[diagnosis.md](diagnosis.md) describes how they are measured. Rates are per unit of system time. Each cell has the
median over seeds with the half width of its 95 % confidence interval, and the range over seeds in brackets.

A seed is sorted by the regime of its own network, not by its data: a network that did not learn the chaos of its data
belongs to another theorem. This page is generated from the tables in `leaderboards/theory`, which are those of a
results directory after `chaosbench run theory`."""

_SECTIONS: tuple[tuple[Theorem, str, str], ...] = (
    (
        "grow",
        "Theorem 2: chaotic networks",
        "The norm of dz_T/dz_0 grows as e^(lambda_1 T), so that gamma / lambda_1 is 1, for all gates and activations.",
    ),
    (
        "neither",
        "Theorem 3: quasi-periodic networks",
        "The norm grows or shrinks more slowly than any exponential: gamma and lambda_1 are both 0. A limit cycle of a "
        "flow belongs here, too: it is a closed curve of the map from one sample to the next, which a network learns.",
    ),
    (
        "vanish",
        "Theorem 1: networks on fixed points and cycles",
        "The norm vanishes exponentially, at the rate of the cycle's own exponent: gamma / lambda_1 is 1, and both are "
        "negative. The gradient of the loss with respect to the parameters stays bounded.",
    ),
    ("none", "Networks that diverge", "The theorems do not apply to them."),
)


def page(results: Path, pictures: Iterable[tuple[str, str]] = ()) -> str:
    """Return the page for a results directory, or for the tables of one in leaderboards/.

    Args:
        results: the directory.
        pictures: files below docs/ and their captions.
    """
    experiments = sorted(read_all(results), key=lambda stored: stored.folder.name)
    diagnosed = [result for stored in experiments for result in seed_results(stored) if result.diagnosis.has_dynamics]
    labels = {noun: shortened(result.labels[noun] for result in diagnosed) for noun in ("system", "model", "trainer")}
    parts = [_INTRODUCTION, _summary(diagnosed)]
    parts += [f"![{text}]({name})\n\n{text}" for name, text in pictures]
    for theorem, title, statement in _SECTIONS:
        selected = [result for result in diagnosed if result.verdict.expected == theorem]
        if selected:
            parts += [f"## {title}", statement, _table(selected, theorem, labels)]
    parts += ["## Verdict per run", _verdicts(experiments, labels)]
    return "\n\n".join(parts) + "\n"


def _summary(results: Sequence[SeedResult]) -> str:
    if not results:
        return "**No network has a diagnosis.**"
    verdicts = [result.verdict for result in results]
    counts = Counter(verdict.consistent for verdict in verdicts if verdict.expected != "none")
    regimes = Counter(verdict.regime for verdict in verdicts)
    tally = ", ".join(f"{count} {regime}" for regime, count in regimes.most_common())
    ratios = [verdict.growth_ratio for verdict in verdicts if verdict.growth_ratio is not None]
    median = (
        f" The median of gamma / lambda_1 over the chaotic ones is {statistics.median(ratios):.2f}." if ratios else ""
    )
    unknown = (
        f"; {counts[None]} are undecided, because errors are too large or free runs end on different attractors"
        if counts[None]
        else ""
    )
    return (
        f"**{len(results)} trained networks: {tally}. Growth rate and exponent agree within their errors in "
        f"{counts[True]} and disagree in {counts[False]}{unknown}.**{median}"
    )


def _table(results: Sequence[SeedResult], theorem: Theorem, labels: dict[str, dict[str, str]]) -> str:
    """Return a table with one row per network, trainer and system."""
    heads = ["data", "network, training", "seeds", "gamma", "lambda_1 of the network", "lambda_1 of the data"]
    heads += ["gamma / lambda_1"] if theorem in ("grow", "vanish") else []
    heads += ["slope of the log loss gradient", "agree"]
    groups: dict[tuple[str, ...], list[SeedResult]] = {}
    for result in results:
        names = tuple(labels[noun][result.labels[noun]] for noun in ("system", "model", "trainer"))
        groups.setdefault(names, []).append(result)
    rows = [[*_row(names, group, theorem)] for names, group in groups.items()]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(names: tuple[str, ...], group: Sequence[SeedResult], theorem: Theorem) -> Iterator[str]:
    system, model, trainer = names
    diagnoses = [result.diagnosis for result in group]
    exponents = [diagnosis.largest_exponent or Exponent(math.nan) for diagnosis in diagnoses]
    answers = Counter({True: "yes", False: "NO", None: "?"}[result.verdict.consistent] for result in group)
    yield system
    yield f"{model}, {trainer}"
    yield ", ".join(str(result.seed) for result in group)
    yield _spread((diagnosis.gradient_growth, diagnosis.gradient_growth_interval) for diagnosis in diagnoses)
    yield _spread(exponents)
    yield number(group[0].data_exponent)
    if theorem in ("grow", "vanish"):
        yield _ratio(diagnoses)
    yield _spread((diagnosis.loss_gradient_growth, diagnosis.loss_gradient_growth_interval) for diagnosis in diagnoses)
    yield ", ".join(f"{count} {answer}" for answer, count in answers.items())


def _spread(estimates: Iterable[tuple[float | None, float | None]]) -> str:
    """Format the median over seeds with its own interval, followed by the range if there are several seeds."""
    pairs = [(value, width) for value, width in estimates if value is not None and not math.isnan(value)]
    ordered = sorted(pairs, key=lambda pair: pair[0])
    if not ordered:
        return "-"
    text = with_interval(*ordered[(len(ordered) - 1) // 2])
    return text if len(ordered) == 1 else f"{text} ({number(ordered[0][0])} to {number(ordered[-1][0])})"


def _ratio(diagnoses: Sequence[RunDiagnosis]) -> str:
    pairs = [(diagnosis.gradient_growth, diagnosis.largest_exponent) for diagnosis in diagnoses]
    ratios = [
        gamma / exponent.value
        for gamma, exponent in pairs
        if is_finite(gamma) and exponent is not None and is_finite(exponent.value) and exponent.value != 0
    ]
    if not ratios:
        return ""
    text = f"{statistics.median(ratios):.2f}"
    return text if len(ratios) == 1 else f"{text} ({min(ratios):.2f} to {max(ratios):.2f})"


def _verdicts(experiments: Sequence[Stored], labels: dict[str, dict[str, str]]) -> str:
    lines = []
    for stored in experiments:
        run = stored.runs[0]
        names = {noun: labels[noun].get(run[noun], run[noun]) for noun in ("trainer", "model", "system")}
        lines.append("**{trainer} on {model}, {system}**\n".format(**names))
        lines += [f"- seed {result.seed}: {brief(result)}" for result in seed_results(stored)]
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
