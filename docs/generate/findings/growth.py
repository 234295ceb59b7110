"""Do loss gradients of chaotic networks grow at their largest exponent everywhere?"""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from chaosbench.explain.seed_result import SeedResult, seed_results
from chaosbench.figures.panels import CURVES, STYLES, legend, new_figure
from chaosbench.formats import percent
from chaosbench.intervals import share_interval
from chaosbench.leaderboard.folder import Stored
from docs.generate.findings.duels import kind
from docs.generate.findings.finding import Finding

_FEWEST = 5  # judged networks of an architecture that has a row of its own


def growth(experiments: Iterable[Stored], folders: Sequence[str]) -> Finding:
    """Compare the growth of loss gradients with the exponent of every chaotic network of all boards."""
    found = [
        one
        for stored in experiments
        for one in seed_results(stored)
        if one.diagnosis.has_dynamics and one.verdict.expected == "grow" and one.verdict.loss_ratio is not None
    ]
    return Finding(
        name="findings-growth",
        question="Do loss gradients grow at lambda_1 in every chaotic network?",
        answer=_answer(found),
        control=(
            "The gradient of the loss comes from automatic differentiation through the steps, lambda_1 from tangent "
            "vectors along other free runs, so that the two are independent. Networks are counted by what they do, "
            "not by their data: one that collapsed to a point has no positive exponent and is no success of the "
            "theorem. A network is undecided where the errors of the two rates are too large for a verdict."
        ),
        header=("architecture", "chaotic networks", "median rate / lambda_1", "agree", "disagree", "undecided"),
        rows=tuple(_row(name, members) for name, members in _by_architecture(found)),
        command=f"chaosbench explain {folders[0]}",
        caption="Growth rate of the loss gradient against the largest exponent of the same network",
        draw=partial(draw, found),
    )


def _by_architecture(found: Sequence[SeedResult]) -> list[tuple[str, list[SeedResult]]]:
    together: dict[str, list[SeedResult]] = defaultdict(list)
    for one in found:
        together[kind(one.labels["model"])].append(one)
    large = {name: members for name, members in together.items() if len(members) >= _FEWEST}
    rest = [one for name, members in together.items() if name not in large for one in members]
    return sorted(large.items()) + ([("others", rest)] if rest else [])


def _counts(found: Sequence[SeedResult]) -> tuple[int, int]:
    judged = [one.verdict.consistent for one in found if one.verdict.consistent is not None]
    return sum(judged), len(judged)


def _answer(found: Sequence[SeedResult]) -> str:
    agree, judged = _counts(found)
    low, high = share_interval(agree, judged)
    ratios = [one.verdict.loss_ratio or 0.0 for one in found]
    middle = statistics.quantiles(ratios, n=20)
    kinds = len({kind(one.labels["model"]) for one in found})
    head = "In all that can be judged" if agree == judged else f"In {percent(agree / judged)} of those judged"
    return (
        f"**{head}: {agree} of {judged} chaotic networks agree ({percent(low)} to {percent(high)}, 95 % interval).** "
        f"They belong to {kinds} architectures. Of all {len(found)} chaotic networks, the median rate is "
        f"{statistics.median(ratios):.2f} times lambda_1, and nine of ten are between {middle[0]:.2f} and "
        f"{middle[-1]:.2f}; {len(found) - judged} of them are undecided, because the errors of their rates are large."
    )


def _row(name: str, members: Sequence[SeedResult]) -> tuple[str, ...]:
    agree, judged = _counts(members)
    median = statistics.median(one.verdict.loss_ratio or 0.0 for one in members)
    return name, str(len(members)), f"{median:.2f}", str(agree), str(judged - agree), str(len(members) - judged)


def _rates(one: SeedResult) -> tuple[float, float]:
    """Return lambda_1 and the growth rate of the loss gradient [1 / step]; both were measured for this verdict."""
    exponent, rate = one.diagnosis.largest_exponent, one.diagnosis.loss_gradient_growth
    assert exponent is not None
    assert rate is not None
    return exponent.value * one.dt, rate * one.dt


def draw(found: Sequence[SeedResult], path: Path) -> None:
    """Draw one rate against the other, both per step."""
    figure = new_figure(5.2, 4.6, "")
    axes, ends = figure.add_subplot(), [1.0, 0.0]
    styles = {name: CURVES[index % len(CURVES)] for index, (name, _) in enumerate(_by_architecture(found))}
    for name, members in _by_architecture(found):
        points = [_rates(one) for one in members]
        shown = [point for point in points if min(point) > 0]
        style = {"color": styles[name]["color"], "marker": styles[name]["marker"], "linestyle": ""}
        axes.plot(*zip(*shown, strict=True), **style, markersize=3, label=name)
        ends = [min(ends[0], *map(min, shown)), max(ends[1], *map(max, shown))]
    axes.plot(ends, ends, **STYLES["limit"])
    axes.set(xscale="log", yscale="log")
    axes.set(xlabel="lambda_1 of the network [1 / step]", ylabel="growth rate of the loss gradient [1 / step]")
    legend(axes, loc="lower right", ncols=2)
    figure.savefig(path, dpi=150)
