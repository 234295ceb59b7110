"""The ranking as tables that stay readable at 80 columns and without colour."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from chaosbench.formats import number
from chaosbench.labels import shared, shortened
from chaosbench.leaderboard.rank import Board, Measure, Ranking, Score
from chaosbench.terminal.progress import progress

__all__ = ["progress", "ranking_table"]

_MARKS = {"best": "", "tied": "=", "unclear": "?", "behind": ""}
_NAME, _METRIC, _REST = 26, 18, 18  # columns that a name, a metric, and everything else take, gaps included

_LEGEND = """\
Median over seeds, a diverged seed counted as worst; below it the 95 % interval
of the mean (Student's t). lower, higher: which is better. failed: seeds that
diverged or came to no result. train: seconds per seed.
= not told apart from the best by Welch's t-test   ? no test: too few seeds,
or one diverged"""


def ranking_table(ranking: Ranking) -> RenderableType:
    """One table per system and data, and what its signs mean.

    Metrics that do not fit beside each other go into further tables below, in the same order of entries.
    """
    questions = Counter((board.system, board.data) for board in ranking.boards)
    tables = (_BoardTables(board, questions[board.system, board.data] > 1) for board in ranking.boards)
    return Group(*tables, Text(_LEGEND))


@dataclass(frozen=True)
class _BoardTables:
    """The tables of a board; how many, the width decides."""

    board: Board
    ambiguous: bool  # another board has the same system and data, and another evaluation

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fitting = max(1, (options.max_width - _NAME - _REST) // _METRIC)
        measures = list(enumerate(self.board.measures))
        yield _title(self.board)
        if self.ambiguous:
            yield Text(f"evaluation: {self.board.evaluation}")
        for first in range(0, max(1, len(measures)), fitting):
            yield _table(self.board, measures[first : first + fitting])
        yield _settings(self.board)


def _title(board: Board) -> Text:
    data = "" if board.data == "data" else f", {board.data}"  # "data" alone: all defaults
    return Text.assemble((board.system, "bold"), f"{data} (suite: {', '.join(board.suites)})")


def _table(board: Board, measures: Sequence[tuple[int, Measure]]) -> Table:
    table = Table(box=box.HORIZONTALS, pad_edge=False, padding=(0, 1, 0, 0))
    models, trainers = (shortened(getattr(entry, noun) for entry in board.entries) for noun in ("model", "trainer"))
    table.add_column("#", no_wrap=True, min_width=2)
    table.add_column(Text("model\n  trainer"), overflow="fold", min_width=_NAME - 2)
    for _, measure in measures:
        table.add_column(_heading(measure), justify="right", width=_METRIC - 2)
    table.add_column("failed", justify="right", no_wrap=True, min_width=6)
    table.add_column(Text("train\n[s]", justify="right"), justify="right", no_wrap=True, min_width=5)
    for entry in board.entries:
        table.add_row(
            f"{entry.rank}{_MARKS[entry.tier]}",
            Text(_name(models[entry.model], trainers[entry.trainer])),
            *(_cell(entry.scores[place]) for place, _ in measures),
            f"{entry.diverged + entry.failed}/{entry.seeds}",
            number(None if entry.train_seconds is None else round(entry.train_seconds, 2)),
        )
    if measures:
        table.add_section()
        floors = (number(measure.floor) for _, measure in measures)
        table.add_row("", "noise floor:\n  two true orbits", *floors, "", "")
    return table


def _name(model: str, trainer: str) -> str:
    return _folded(model, _NAME - 2) + "\n" + _folded(trainer, _NAME - 2, indent="  ")


def _settings(board: Board) -> Text:
    """What the names in the table leave out, a line for each kind."""
    found = {
        **shared(entry.model for entry in board.entries),
        **shared(entry.trainer for entry in board.entries),
    }
    return Text("\n".join(f"every {kind}: {settings}" for kind, settings in found.items()), style="dim")


def _heading(measure: Measure) -> Text:
    """The metric's name on lines of its own words, its settings and unit, and which way is better."""
    name = _folded(measure.name, _METRIC - 2).replace("_", " ")
    return Text(f"{name}\n[{measure.unit}]\n{measure.better}", justify="right")


def _folded(label: str, width: int, *, indent: str = "") -> str:
    """A label, indented; where it is too long for a line, its settings stand on lines of their own."""
    kind, bracket, settings = label.partition("(")
    if not bracket or len(indent + label) <= width:
        return indent + label
    lines = textwrap.wrap(f"({settings}", width, initial_indent=f"{indent} ", subsequent_indent=f"{indent}  ")
    return "\n".join([indent + kind, *lines])


def _cell(score: Score | None) -> Text:
    if score is None:
        return Text("-", justify="right")
    middle = "diverged" if score.median is None else number(score.median)
    if score.interval is None:
        return Text(middle, justify="right")
    low, high = map(number, score.interval)
    return Text(f"{middle}\n[{low}, {high}]", justify="right")
