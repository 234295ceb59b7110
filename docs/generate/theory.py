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
from chaosbench.formats import number, ratio
from chaosbench.labels import shortened
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.store import read_all
from chaosbench.theory.run_diagnosis import Exponent, RunDiagnosis
from chaosbench.theory.verdict import Theorem

_INTRODUCTION = """\
# Theory and measurement

Mikhaeil, Monfared and Durstewitz (2022, [arXiv 2110.07238](https://arxiv.org/abs/2110.07238)) relate the loss gradients
of a recurrent network to the Lyapunov exponents of its orbits, in every architecture. The suite `theory` trains three
architectures on chaotic, quasi-periodic and periodic data, and measures three rates of each trained network: how fast
dz_T/dz_0 grows with the horizon (gamma), how fast neighbouring orbits separate (lambda_1), and how fast the gradient
dL_T/dtheta of the loss grows. gamma and lambda_1 come from the same tangent steps of the network, so that their
agreement is a self-consistency. The loss gradient comes from autograd through the steps themselves: it is the
independent measurement that tests the theorems. [diagnosis.md](diagnosis.md) describes how each is measured and judged.

Rates are per unit of system time. Each cell has the median over seeds with the half width of its 95 % confidence
interval, and the range over seeds in brackets. A seed is sorted by the regime of its own network, not by its data: a
network that did not learn the chaos of its data belongs to another theorem. On Lorenz-63, forced and clipped training
have the same updates, sequences, learning rates and clipping, so that they differ in forcing alone. This page is
generated from the tables in `leaderboards/theory`, which are those of a results directory after
`chaosbench run theory`."""

_SECTIONS: tuple[tuple[Theorem, str, str], ...] = (
    (
        "grow",
        "Theorem 2: chaotic networks",
        "(i) The norm of dz_T/dz_0 grows as e^(lambda_1 T), so that gamma / lambda_1 is 1, for all gates and "
        "activations. (ii) So does the gradient of the loss: its rate is lambda_1, too.",
    ),
    (
        "neither",
        "Theorem 3: quasi-periodic networks",
        "The norm grows or shrinks more slowly than any exponential: gamma and lambda_1 are both 0. The gradient of "
        "the loss may grow as a power of T, and has no exponential rate beside it. A limit cycle of a flow belongs "
        "here, too: it is a closed curve of the map from one sample to the next, which a network learns.",
    ),
    (
        "vanish",
        "Theorem 1: networks on fixed points and cycles",
        "The norm vanishes exponentially, at the rate of the cycle's own exponent: gamma / lambda_1 is 1, and both are "
        "negative. The gradient of the loss with respect to the parameters stays bounded: it grows as T^0. Boundedness "
        "tests the sign of lambda_1, not its size.",
    ),
    (
        "none",
        "Networks to which no theorem applies",
        "They diverge, their regime is undecided, or they rest on a point or a cycle whose exponent is not negative "
        "beyond its error, so that it is not known to attract.",
    ),
)
_STATEMENTS: tuple[tuple[Theorem, str, str], ...] = (  # theorem, its statement on dz_T/dz_0, its statement on the loss
    (
        "vanish",
        "Theorem 1: dz_T/dz_0 vanishes at the cycle's exponent",
        "Theorem 1: the loss gradient stays bounded",
    ),
    (
        "grow",
        "Theorem 2 (i): dz_T/dz_0 grows at lambda_1",
        "Theorem 2 (ii): the loss gradient grows at lambda_1",
    ),
    (
        "neither",
        "Theorem 3: dz_T/dz_0 neither grows nor vanishes exponentially",
        "Theorem 3: the loss gradient grows at most as a power of T",
    ),
)
_PLURALS = {"fixed point": "at fixed points", "undecided": "of undecided regime"}


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
    regimes = Counter(verdict.regime for verdict in verdicts)
    tally = ", ".join(f"{count} {_PLURALS.get(regime, regime)}" for regime, count in regimes.most_common())
    ratios = [verdict.loss_ratio for verdict in verdicts if verdict.loss_ratio is not None]
    median = (
        f" The loss gradients of the chaotic ones grow at {ratio(statistics.median(ratios))} lambda_1 in the median."
        if ratios
        else ""
    )
    lines = ["| statement | measured by | agree | disagree | undecided |", "| --- | --- | --- | --- | --- |"]
    for theorem, tangents, loss in _STATEMENTS:
        selected = [verdict for verdict in verdicts if verdict.expected == theorem]
        lines.append(_count(tangents, "tangent steps (self-consistency)", [each.self_consistent for each in selected]))
        lines.append(_count(loss, "autograd (independent)", [each.consistent for each in selected]))
    reasons = (
        "A network is undecided where errors are too large, where its free runs end on different attractors, or where "
        "the measurement is not stored."
    )
    return "\n\n".join([f"**{len(results)} trained networks: {tally}.**{median}", "\n".join(lines), reasons])


def _count(statement: str, measured: str, answers: Sequence[bool | None]) -> str:
    counts = Counter(answers)
    return f"| {statement} | {measured} | {counts[True]} | {counts[False]} | {counts[None]} |"


_LOSS_COLUMN: dict[Theorem, str] = {
    "grow": "rate of the loss gradient",
    "vanish": "loss gradient: power of T",
    "neither": "loss gradient: rate beside a power of T",
    "none": "rate of the loss gradient",
}


def _table(results: Sequence[SeedResult], theorem: Theorem, labels: dict[str, dict[str, str]]) -> str:
    """Return a table with one row per network, trainer and system."""
    heads = ["data", "network, training", "seeds", "gamma", "lambda_1 of the network", "lambda_1 of the data"]
    heads += ["gamma / lambda_1"] if theorem in ("grow", "vanish") else []
    heads += ["gamma agrees", _LOSS_COLUMN[theorem], "loss gradient agrees"]
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
    yield system
    yield f"{model}, {trainer}"
    yield ", ".join(str(result.seed) for result in group)
    yield _spread((diagnosis.gradient_growth, diagnosis.gradient_growth_interval) for diagnosis in diagnoses)
    yield _spread(exponents)
    yield number(group[0].data_exponent)
    if theorem in ("grow", "vanish"):
        yield _ratio(diagnoses)
    yield _answers(result.verdict.self_consistent for result in group)
    yield _spread(_loss_estimate(diagnosis, theorem) for diagnosis in diagnoses)
    yield _answers(result.verdict.consistent for result in group)


def _answers(agreements: Iterable[bool | None]) -> str:
    answers = Counter({True: "yes", False: "NO", None: "?"}[agreement] for agreement in agreements)
    return ", ".join(f"{count} {answer}" for answer, count in answers.items())


def _loss_estimate(diagnosis: RunDiagnosis, theorem: Theorem) -> tuple[float | None, float | None]:
    """Return the statistic of the loss gradient that the theorem is about, with its interval."""
    if theorem == "vanish":
        return diagnosis.loss_gradient_power, diagnosis.loss_gradient_power_interval
    if theorem == "neither":
        return diagnosis.loss_gradient_excess, diagnosis.loss_gradient_excess_interval
    return diagnosis.loss_gradient_growth, diagnosis.loss_gradient_growth_interval


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
