"""The page on the best forcing interval: `python -m docs.generate.forcing_interval RESULTS > docs/forcing-interval.md`.

With a second argument the program draws the picture of the page into that file instead.
"""

import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scipy.stats import friedmanchisquare, rankdata, wilcoxon

from chaosbench.figures.panels import CURVES, STYLES, new_figure
from chaosbench.formats import percent
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.statistics import median
from chaosbench.leaderboard.store import read_all
from chaosbench.trainers import SparseTeacherForcing
from docs.generate.markdown import table

_LEVEL = 0.05
METRIC = "state_space_divergence"
_INTRODUCTION = """\
# The best forcing interval

Sparse teacher forcing needs an interval. Mikhaeil, Monfared and Durstewitz (2022,
[arXiv 2110.07238](https://arxiv.org/abs/2110.07238)) recommend the predictability time tau_pred = ln 2 / lambda_1. The
suite `forcing-interval` measures the best multiple of tau_pred, where lambda_1 is the certified exponent of the system.
All runs of a network have the same sequences, number of updates and optimiser, and differ in the interval alone.

Each number is the median of D_stsp [nats] over seeds; a diverged seed counts as worse than any number. The *floor* is
the score of another true orbit. A system with a network is a *cell*. This page is generated from the tables in
`leaderboards/forcing-interval` by `python -m docs.generate.forcing_interval leaderboards/forcing-interval`."""


@dataclass(frozen=True)
class Cell:
    """The scores of one network on one system.

    Attributes:
        system, model: labels.
        floor: score of another true orbit [nats].
        scores: by multiple of tau_pred, one per seed [nats]; None for a seed that diverged.
        collapsed: by multiple of tau_pred, mean share of the free runs that collapsed.
        worst: the highest score of any network on this system [nats], which stands for a diverged run.
    """

    system: str
    model: str
    floor: float
    scores: Mapping[float, tuple[float | None, ...]]
    collapsed: Mapping[float, float]
    worst: float = math.inf

    def medians(self) -> dict[float, float]:
        """Return the median over seeds by multiple; infinite where it falls on a diverged seed."""
        return {multiple: _median(values) for multiple, values in self.scores.items()}

    def excess(self) -> dict[float, float]:
        """Return ln of the median above the floor; that of `worst` where it falls on a diverged seed."""
        return {m: math.log(max(min(value, self.worst), self.floor)) for m, value in self.medians().items()}


def cells(results: Path) -> list[Cell]:
    """Return every system with every network, from a results directory or its tables."""
    together: dict[tuple[str, str], list[Stored]] = defaultdict(list)
    for stored in read_all(results):
        together[stored.runs[0]["system"], stored.runs[0]["model"]].append(stored)
    found = [_cell(key, together[key]) for key in sorted(together)]
    return [replace(cell, worst=_worst(other for other in found if other.system == cell.system)) for cell in found]


def page_of(results: Path) -> str:
    """Return the page on a results directory or a board."""
    everything = read_all(results)
    return page(cells(results), _seconds(everything), _budget(everything))


def _worst(found: Iterable[Cell]) -> float:
    return max(value for cell in found for values in cell.scores.values() for value in values if value is not None)


def page(found: Sequence[Cell], seconds: float, budget: str) -> str:
    """Return the page as Markdown."""
    multiples = sorted({multiple for cell in found for multiple in cell.scores})
    complete = [cell for cell in found if set(cell.scores) == set(multiples)]
    best = _best(complete, multiples)
    parts = [
        _INTRODUCTION,
        f"![D_stsp over the forcing interval](pictures/forcing-interval.png)\n\n{_result(complete, multiples, best)}",
        f"## Summary over {len(complete)} cells",
        _summary(complete, multiples, best),
        "## Scores",
        _scores(found, multiples),
        *_missing(found, complete),
        f"Budget of every run: {budget}. The study took {seconds / 3600:.1f} hours of cores that were shared with "
        "other work. With so few updates many networks still collapse, and a longer training may favour another "
        "interval; [faithfulness.md](faithfulness.md) has single systems with up to ten times the updates.",
    ]
    return "\n\n".join(parts) + "\n"


def _cell(key: tuple[str, str], experiments: Sequence[Stored]) -> Cell:
    """Return the scores of a system and network; the seeds of an interval may be stored as several experiments."""
    scores: dict[float, list[float | None]] = defaultdict(list)
    collapsed: dict[float, list[float]] = defaultdict(list)
    floors = []
    for stored in experiments:
        multiple = _multiple(stored)
        diverged = {run["seed"] for run in stored.runs if run["status"] == "diverged"}
        rows = [row for row in stored.records if row["name"] == METRIC]
        scores[multiple] += [None if row["seed"] in diverged else row["value"] for row in rows]
        collapsed[multiple] += [row["value"] for row in stored.records if row["name"] == f"{METRIC}.collapsed_share"]
        floors += [row["floor"] for row in rows]
    return Cell(
        *key,
        statistics.median(floors),
        {multiple: tuple(values) for multiple, values in scores.items()},
        {multiple: statistics.fmean(shares) for multiple, shares in collapsed.items()},
    )


def _multiple(stored: Stored) -> float:
    """Return the forcing interval in units of tau_pred."""
    text = stored.experiment["trainer"]["interval"].removesuffix("tau_pred").strip()
    return float(text) if text else 1.0


def _median(values: Sequence[float | None]) -> float:
    middle = median(values, better="lower")
    return math.inf if middle is None else middle


def _mean_excess(found: Sequence[Cell], multiple: float) -> float:
    """Return the mean over cells of ln(score / best score of the cell), both not below the floor."""
    return statistics.fmean(cell.excess()[multiple] - min(cell.excess().values()) for cell in found)


def _best(found: Sequence[Cell], multiples: Sequence[float]) -> float:
    """Return the multiple with the lowest mean rank, which no single cell can decide."""
    return min(multiples, key=lambda multiple: _mean_rank(found, multiple))


def _mean_rank(found: Sequence[Cell], multiple: float) -> float:
    """Return the mean over cells of the rank of a multiple by its median, from 1; equal medians share a rank."""
    ranks = (dict(zip(cell.scores, rankdata([*cell.medians().values()]), strict=True)) for cell in found)
    return statistics.fmean(float(rank[multiple]) for rank in ranks)


def _p_value(found: Sequence[Cell], better: float, worse: float) -> float:
    """Return the p-value of Wilcoxon's signed-rank test of cells, one-sided: `better` has the lower scores."""
    differences = [cell.excess()[better] - cell.excess()[worse] for cell in found]
    return float(wilcoxon(differences, alternative="less").pvalue) if any(differences) else 1.0


def _result(found: Sequence[Cell], multiples: Sequence[float], best: float) -> str:
    wins = sum(cell.medians()[best] < cell.medians()[1.0] for cell in found)
    at_one = sum(_best_of(cell) == 1.0 for cell in found)
    tied = [f"{other:g}" for other in multiples if other != best and _p_value(found, best, other) >= _LEVEL]
    return (
        f"**The best of the measured intervals, by its mean rank, is {best:g} tau_pred.** Its D_stsp is lower than at "
        f"tau_pred in {wins} of {len(found)} cells (one-sided Wilcoxon test: p = {_p_value(found, best, 1.0):.1g}). "
        f"tau_pred itself is the best interval in {at_one} of {len(found)} cells. Multiples that are not distinguished "
        f"from {best:g}: {', '.join(tied) or 'none'}. The default of "
        f'trainers that force at intervals is `"{SparseTeacherForcing().interval}"`.'
    )


def _best_of(cell: Cell) -> float:
    """Return the multiple with the lowest median."""
    medians = cell.medians()
    return min(medians, key=medians.__getitem__)


def _summary(found: Sequence[Cell], multiples: Sequence[float], best: float) -> str:
    header = (
        "interval [tau_pred]",
        "mean rank",
        "times the best score of the cell",
        "best in",
        "free runs that collapse",
        f"p against {best:g}",
    )
    rows = []
    for multiple in multiples:
        wins = sum(_best_of(cell) == multiple for cell in found)
        rows.append(
            (
                f"{multiple:g}",
                f"{_mean_rank(found, multiple):.2f}",
                f"{math.exp(_mean_excess(found, multiple)):.2f}",
                f"{wins} of {len(found)}",
                percent(statistics.fmean(cell.collapsed[multiple] for cell in found)),
                "" if multiple == best else f"{_p_value(found, best, multiple):.1g}",
            )
        )
    p_value = float(friedmanchisquare(*([cell.medians()[m] for cell in found] for m in multiples)).pvalue)
    note = (
        f"Ranks are within cells, from 1 for the lowest score; Friedman's test of equal ranks gives p = {p_value:.1g}. "
        "The third column is a geometric mean over cells, of scores that are not below the floor; a diverged median "
        "counts as the worst score of any network on its system, so that a single cell can dominate it. The tests in "
        "the last column are one-sided Wilcoxon tests over cells and not corrected for their number."
    )
    return f"{table(header, rows)}\n\n{note}"


def _scores(found: Sequence[Cell], multiples: Sequence[float]) -> str:
    header = ("system", "network", *(f"{multiple:g} tau_pred" for multiple in multiples), "floor")
    rows = []
    for cell in found:
        medians = cell.medians()
        least = min(medians.values())
        texts = (_score(medians.get(multiple), least) for multiple in multiples)
        rows.append((cell.system, cell.model, *texts, f"{cell.floor:.3g}"))
    return table(header, rows)


def _missing(found: Sequence[Cell], complete: Sequence[Cell]) -> list[str]:
    """List the pairs of network and system that were not run at every interval."""
    systems, models = (sorted({getattr(cell, noun) for cell in found}) for noun in ("system", "model"))
    run = {(cell.system, cell.model) for cell in complete}
    names = [f"{model} on {system}" for model in models for system in systems if (system, model) not in run]
    return [f"Not run at every interval, and left out of the summary: {', '.join(names)}."] if names else []


def _score(value: float | None, least: float) -> str:
    if value is None:
        return "not run"
    text = f"{value:.3g}" if math.isfinite(value) else "diverged"
    return f"**{text}**" if value == least else text


def draw(found: Sequence[Cell], path: Path) -> None:
    """Draw the medians over the interval, a panel per system and a curve per network."""
    systems = sorted({cell.system for cell in found})
    styles = dict(zip(sorted({cell.model for cell in found}), CURVES, strict=False))  # equal in all panels
    figure = new_figure(9.0, 5.4, "")
    panels = figure.subplots(2, math.ceil(len(systems) / 2), squeeze=False).flat
    for system, axes in zip(systems, panels, strict=False):
        own = [cell for cell in found if cell.system == system]
        for cell in own:
            points = sorted((m, value) for m, value in cell.medians().items() if math.isfinite(value))
            axes.plot(*zip(*points, strict=True), **styles[cell.model], label=cell.model.partition("(")[0])
        axes.axhline(own[0].floor, **{**STYLES["limit"], "label": "noise floor"})
        axes.set(title=system, xscale="log", yscale="log", xlabel="interval / tau_pred", ylabel="D_stsp [nats]")
        axes.set_xticks(sorted(own[0].scores), [f"{multiple:g}" for multiple in sorted(own[0].scores)], minor=False)
        axes.minorticks_off()
    fullest = max(systems, key=lambda system: sum(cell.system == system for cell in found))
    lines, names = figure.axes[systems.index(fullest)].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=len(names), fontsize=8)
    figure.savefig(path, dpi=150)


def _budget(experiments: Sequence[Stored]) -> str:
    """Return what every run got; all experiments of the suite have the same seeds, in one part or several."""
    trainer = experiments[0].experiment["trainer"]
    seeds = len({run["seed"] for stored in experiments for run in stored.runs})
    updates, batch, length = trainer["updates"], trainer["batch"], trainer["sequence_length"]
    observations = updates * batch * length / 1e6
    return (
        f"{seeds} seeds, {updates:,} updates on {batch} sequences of {length} steps, {observations:.2g} million "
        "observations"
    )


def _seconds(experiments: Sequence[Stored]) -> float:
    return sum(run["total_seconds"] or 0.0 for stored in experiments for run in stored.runs)


if __name__ == "__main__":
    results = Path(sys.argv[1])
    if len(sys.argv) > 2:
        draw(cells(results), Path(sys.argv[2]))
    else:
        sys.stdout.write(page_of(results))
