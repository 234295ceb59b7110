"""The README's table and picture of the board `core`: `python -m docs.generate.core_board leaderboards/core`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from chaosbench.boards.loaded import load_board
from chaosbench.figures.panels import CURVES, new_figure
from chaosbench.formats import percent
from chaosbench.leaderboard.overall import Overall, RankInterval, Standing, overall
from docs.generate.markdown import replace_section, table

PAGE = Path(__file__).parents[2] / "README.md"
PICTURE = Path(__file__).parents[1] / "pictures" / "core.png"
NAME = "table of core"
_SHOWN = 10  # the first ranks; below them stand the methods that learn nothing


def section(ranking: Overall, board: str) -> str:
    """Return the table and how to read it, in Markdown."""
    first = [one for one in ranking.standings if one.rank <= _SHOWN]
    rest = [one for one in ranking.standings if one.rank > _SHOWN and one.trainer.startswith("memorise")]
    header = ("rank", "model", "trainer", "wins", "ranks on these systems", "ranks on systems like these", "runs lost")
    rows = [_row(one) for one in [*first, *rest]]
    missing = f" {len(ranking.missing)} more methods lack a board and are not ranked." if ranking.missing else ""
    return (
        f"{table(header, rows)}\n\n"
        f"*The first {len(first)} of {len(ranking.standings)} methods on the {len(ranking.boards)} boards of the suite "
        "`core`, and below them others that learn nothing, by `memorise`: an analogue replays its training data, and "
        f"all networks are trained shortly.{missing} wins: the probability that a run beats one of another method, "
        "the mean over systems, methods and metrics; a run that diverged or failed loses. The ranks are those that "
        "the seeds leave open on these systems, and that the choice of systems leaves open on systems like these "
        f"(95 %). `chaosbench leaderboard show {board}` prints the whole board.*"
    )


def _row(one: Standing) -> tuple[str, ...]:
    model, trainer = (label.partition("(")[0] for label in (one.model, one.trainer))
    ranks = (_ranks(one.on_these), _ranks(one.on_others))
    return str(one.rank), f"`{model}`", f"`{trainer}`", f"{one.wins:.2f}", *ranks, percent(one.lost)


def _ranks(interval: RankInterval) -> str:
    low, high = interval
    return str(low) if low == high else f"{low} to {high}"


def draw(standings: Sequence[Standing], path: Path) -> None:
    """Draw the ranks of all methods with both intervals, best first."""
    figure = new_figure(8.0, 0.9 + 0.21 * len(standings), "")
    axes = figure.add_subplot()
    for height, one in enumerate(reversed(standings)):
        axes.plot(one.on_others, [height] * 2, color="#BBBBBB", linewidth=1.2)
        axes.plot(one.on_these, [height] * 2, color=CURVES[0]["color"], linewidth=3.0)
        axes.plot([one.rank], [height], color="#000000", marker="o", markersize=3.5)
    names = [" on ".join(label.partition("(")[0] for label in (one.trainer, one.model)) for one in reversed(standings)]
    axes.set_yticks(range(len(standings)), names, fontsize=7)
    axes.set(xlabel="rank; blue: open on these systems, grey: on systems like these", ylim=(-0.7, len(standings) - 0.3))
    axes.set_xlim(0.5, len(standings) + 0.5)
    figure.savefig(path, dpi=150)


def main(board: str) -> None:
    """Write the section of the README, and the picture."""
    ranking = overall(load_board(board).rank())
    if ranking is None:
        sys.exit(f"{board} has fewer than two boards or methods to rank")
    replace_section(PAGE, NAME, section(ranking, board))
    draw(ranking.standings, PICTURE)


if __name__ == "__main__":
    main(sys.argv[1])
