"""Forcing intervals in units of the predictability time, compared over systems."""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from scipy.stats import rankdata

from chaosbench.figures.panels import CURVES, STYLES, new_figure
from docs.generate.findings.finding import Finding, mean_interval
from docs.generate.forcing_interval import Cell, cells

Ranks = Mapping[str, Mapping[float, float]]  # by system and multiple: mean rank over networks, 1 for the lowest score


def intervals(board: Path) -> Finding:
    """Compare multiples of tau_pred over systems, of the suite `forcing-interval`."""
    ranks = by_system(cells(board))
    best = min(_multiples(ranks), key=lambda multiple: statistics.fmean(one[multiple] for one in ranks.values()))
    return Finding(
        name="findings-interval",
        question="What is the best forcing interval in units of the predictability time?",
        answer=_answer(ranks, best),
        control=(
            "All intervals have the same networks, seeds, windows, updates and optimiser. The systems are the unit of "
            "the 95 % intervals, since networks on one system are not independent of each other. Ranks are those of "
            "the median D_stsp of a network on a system; a median that falls on a diverged run is last, and no single "
            "failure can decide a rank."
        ),
        header=("interval [tau_pred]", "mean rank", "95 % interval over systems", f"difference from {best:g}",
                "95 % interval of the difference", "best on systems"),
        rows=tuple(_row(ranks, multiple, best) for multiple in _multiples(ranks)),
        command=f"python -m docs.generate.forcing_interval {board}",
        caption="Mean rank of each interval, a grey line per system, and the mean over systems",
        draw=partial(draw, ranks),
    )  # fmt: skip


def by_system(found: Sequence[Cell]) -> Ranks:
    """Return the mean over networks of the rank of each multiple on a system; equal medians share a rank."""
    together: dict[str, list[Mapping[float, float]]] = defaultdict(list)
    for cell in found:
        medians = cell.medians()
        together[cell.system].append(dict(zip(medians, map(float, rankdata([*medians.values()])), strict=True)))
    return {
        system: {multiple: statistics.fmean(one[multiple] for one in ranks) for multiple in ranks[0]}
        for system, ranks in together.items()
    }


def _multiples(ranks: Ranks) -> list[float]:
    return sorted(next(iter(ranks.values())))


def _difference(ranks: Ranks, multiple: float, best: float) -> tuple[float, float, float]:
    return mean_interval([one[multiple] - one[best] for one in ranks.values()])


def _answer(ranks: Ranks, best: float) -> str:
    others = [multiple for multiple in _multiples(ranks) if multiple != best]
    worse = [f"{multiple:g}" for multiple in others if _difference(ranks, multiple, best)[1] > 0]
    open_ = [f"{multiple:g}" for multiple in others if _difference(ranks, multiple, best)[1] <= 0]
    below = sum(min(one, key=one.__getitem__) < 1 for one in ranks.values())
    return (
        f"**{best:g} tau_pred has the lowest mean rank of the measured intervals; on {below} of {len(ranks)} systems "
        f"the best interval is shorter than tau_pred.** Worse on systems like these, by the interval of the "
        f"difference: {', '.join(worse) or 'none'}. Not told apart from {best:g}: {', '.join(open_) or 'none'}."
    )


def _row(ranks: Ranks, multiple: float, best: float) -> tuple[str, ...]:
    mean, low, high = mean_interval([one[multiple] for one in ranks.values()])
    first = sum(min(one, key=one.__getitem__) == multiple for one in ranks.values())
    difference, least, most = _difference(ranks, multiple, best)
    compared = ("", "") if multiple == best else (f"{difference:.2f}", f"{least:.2f} to {most:.2f}")
    return f"{multiple:g}", f"{mean:.2f}", f"{low:.2f} to {high:.2f}", *compared, f"{first} of {len(ranks)}"


def draw(ranks: Ranks, path: Path) -> None:
    """Draw the mean rank against the multiple."""
    figure = new_figure(6.4, 3.6, "")
    axes, multiples = figure.add_subplot(), _multiples(ranks)
    for one in ranks.values():
        axes.plot(multiples, [one[m] for m in multiples], **STYLES["start"])
    middle = [mean_interval([one[m] for one in ranks.values()]) for m in multiples]
    errors = [[mean - low for mean, low, _ in middle], [high - mean for mean, _, high in middle]]
    axes.errorbar(multiples, [mean for mean, _, _ in middle], errors, **CURVES[0])
    axes.set(xscale="log", xlabel="interval / tau_pred", ylabel="mean rank of D_stsp")
    axes.set_xticks(multiples, [f"{multiple:g}" for multiple in multiples], minor=False)
    axes.minorticks_off()
    figure.savefig(path, dpi=150)
