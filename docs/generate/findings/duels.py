"""Comparisons of methods with one reference over the boards of a suite, and their picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from chaosbench.figures.panels import CURVES, STYLES, new_figure
from chaosbench.leaderboard.board import Ranking
from chaosbench.leaderboard.overall import Method, key
from chaosbench.leaderboard.statistics import LEVEL
from chaosbench.leaderboard.superiority import EQUAL, holm
from chaosbench.leaderboard.versus import Versus, versus
from docs.generate.findings.finding import Rows, chance, p_text

HEADER = (
    "method",
    "boards",
    "probability to win",
    "95 % interval on systems like these",
    "on these systems",
    "boards won, lost",
)
_WON = 0.75  # of the pairs of runs on a board; a smaller advantage is no win of a board


class Tally(NamedTuple):
    """On how many boards a method wins and loses at least three of four pairs of runs."""

    won: int
    lost: int


@dataclass(frozen=True)
class Comparison:
    """A method against the reference.

    Attributes:
        name: how the page calls it.
        against: the comparison over all boards.
        better, worse: whether it is found to be better or worse on these systems, after Holm's correction for the
            number of methods compared.
    """

    name: str
    against: Versus
    better: bool
    worse: bool

    @property
    def tally(self) -> Tally:
        """Boards won and lost."""
        chances = [duel.probability for duel in self.against.duels]
        return Tally(sum(one >= _WON for one in chances), sum(one <= 1 - _WON for one in chances))


def compared(
    ranking: Ranking, methods: Mapping[str, Method], reference: Method | Mapping[str, Method]
) -> list[Comparison]:
    """Compare methods with the reference, or each with its own, in all metrics together, the most successful first."""
    references = reference if isinstance(reference, Mapping) else dict.fromkeys(methods, reference)
    duels = {name: versus(ranking, one, references[name], metric=None, equal=EQUAL) for name, one in methods.items()}
    differs = holm([one.on_these for one in duels.values()], LEVEL)
    found = [
        Comparison(name, one, sure and one.probability > 0.5, sure and one.probability < 0.5)
        for (name, one), sure in zip(duels.items(), differs, strict=True)
    ]
    return sorted(found, key=lambda one: -one.against.probability)


def rows_of(comparisons: Sequence[Comparison]) -> Rows:
    """Return a row per method."""
    return tuple(
        (
            one.name,
            str(len(one.against.duels)),
            chance(one.against.probability),
            "one board" if one.against.interval is None else " to ".join(map(chance, one.against.interval)),
            f"{_verdict(one)}, {p_text(one.against.on_these)}",
            f"{one.tally.won}, {one.tally.lost}",
        )
        for one in comparisons
    )


def _verdict(one: Comparison) -> str:
    return "better" if one.better else "worse" if one.worse else "not told apart"


def methods_of(ranking: Ranking) -> list[Method]:
    """Return all methods of a ranking, in the order of its boards."""
    return list(dict.fromkeys(key(entry) for board in ranking.boards for entry in board.entries))


def kind(label: str) -> str:
    """Return a label without its settings."""
    return label.partition("(")[0]


def draw(comparisons: Sequence[Comparison], reference: str, path: Path) -> None:
    """Draw the probability to beat the reference: a dot per board, the mean with its interval on top."""
    figure = new_figure(8.0, 0.9 + 0.34 * len(comparisons), "")
    axes = figure.add_subplot()
    for height, one in enumerate(reversed(comparisons)):
        chances = [duel.probability for duel in one.against.duels]
        axes.plot(chances, [height] * len(chances), color="#999999", marker=".", linestyle="", markersize=5)
        low, high = one.against.interval or (one.against.probability,) * 2
        errors = [[one.against.probability - low], [high - one.against.probability]]
        axes.errorbar(
            [one.against.probability], [height], xerr=errors, color=CURVES[0]["color"], marker="o", linestyle=""
        )
    axes.axvline(0.5, **STYLES["limit"])
    axes.set_yticks(range(len(comparisons)), [one.name for one in reversed(comparisons)], fontsize=8)
    axes.set(xlim=(-0.03, 1.03), xlabel=f"probability that a run beats one of {reference}")
    figure.savefig(path, dpi=150)
