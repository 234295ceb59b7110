"""Do good forecasts mean a good attractor?"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from scipy.stats import spearmanr

from chaosbench.figures.panels import CURVES, STYLES, new_figure
from chaosbench.leaderboard.board import Board, Ranking
from chaosbench.leaderboard.overall import costs_of, title
from chaosbench.leaderboard.statistics import median
from docs.generate.findings.finding import Finding, chance, mean_interval, short

FORECAST, ATTRACTORS = "prediction_error", ("state_space_divergence", "power_spectrum_distance")
_FEWEST = 8  # methods on a board for a correlation


def forecasts(core: Ranking, board: str) -> Finding:
    """Correlate the ranks of methods by forecasts with their ranks by long-term metrics, board by board."""
    boards = [one for one in core.boards if len(one.entries) >= _FEWEST]
    found = [(short(title(one)), *(correlation(one, name) for name in ATTRACTORS)) for one in boards]
    return Finding(
        name="findings-forecasts",
        question="Do good forecasts mean a good attractor?",
        answer=_answer(found),
        control=(
            "Spearman's rank correlation of the medians of all methods on a board; diverged medians are worst in every "
            "metric and would alone make correlations positive, so that methods with a diverged median are left out. "
            "Shuffled data have a perfect state-space divergence and no forecast at all: a correlation below 1 is to "
            "be expected wherever a metric can be won that way, and the spectrum is there to see it."
        ),
        header=("board", *(f"{FORECAST} with {name}" for name in ATTRACTORS)),
        rows=tuple((name, *map(chance, values)) for name, *values in found),
        command=f"chaosbench leaderboard show {board}",
        caption="Rank correlation between forecasts and long-term metrics over the methods of each board",
        draw=partial(draw, found),
    )


def correlation(board: Board, name: str) -> float:
    """Return the rank correlation of two metrics over the methods whose medians did not diverge."""
    measures = {one.name: one for one in board.measures}
    costs = [costs_of(board, measures[metric]) for metric in (FORECAST, name)]
    pairs = [tuple(median(list(one[method]), better="lower") for one in costs) for method in costs[0]]
    kept = [pair for pair in pairs if all(value is not None and abs(value) != float("inf") for value in pair)]
    return float(spearmanr(*zip(*kept, strict=True)).statistic)


def _answer(found: Sequence[tuple[str, float, float]]) -> str:
    texts = []
    for index, name in enumerate(ATTRACTORS, 1):
        mean, low, high = mean_interval([float(one[index]) for one in found])
        texts.append(f"{chance(mean)} with {name} (95 % interval {chance(low)} to {chance(high)})")
    return (
        f"**Only in part: the rank correlation of the error of forecasts is {' and '.join(texts)},** the mean over "
        f"{len(found)} boards. A method that is chosen by its forecasts need not be the one whose free runs look like "
        "the data."
    )


def draw(found: Sequence[tuple[str, float, float]], path: Path) -> None:
    """Draw the correlations, a row per board."""
    figure = new_figure(8.0, 1.0 + 0.3 * len(found), "")
    axes = figure.add_subplot()
    for index, name in enumerate(ATTRACTORS, 1):
        style, values = CURVES[index - 1], [float(one[index]) for one in reversed(found)]
        axes.plot(values, range(len(found)), color=style["color"], marker=style["marker"], linestyle="", label=name)
    axes.axvline(0.0, **STYLES["limit"])
    axes.set_yticks(range(len(found)), [one[0] for one in reversed(found)], fontsize=8)
    axes.set(xlim=(-1.03, 1.03), xlabel="rank correlation with the error of forecasts")
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    figure.savefig(path, dpi=150)
