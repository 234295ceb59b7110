"""The ranking as tables: one per system and data on terminals of 100 columns or more."""

import math
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from chaosbench.formats import number, percent
from chaosbench.labels import shared, shortened
from chaosbench.leaderboard.board import Board, Entry, Ranking
from chaosbench.leaderboard.overall import overall
from chaosbench.terminal.grid import Column, Lines, fold, grid, widened
from chaosbench.terminal.overall import OverallTable
from chaosbench.terminal.scores import ScoreColumn

_MARKS = {"best": "", "tied": "=", "unclear": "?", "behind": ""}
_LONGEST_NAME = 26  # [characters] beyond which a name is folded
_SHORT_NAME = 16  # [characters] to which names are folded where that keeps all scores in one table
_SHORTEST_NAME = 12  # [characters] to which names are folded on a narrow terminal
_LEGEND_WIDTH = 100  # [characters]
_BINS = 30  # per dimension of state_space_divergence, where orbits are long enough

_LEGEND = """\
Each score is the median over seeds; a diverged seed counts as worse than any number, in every metric. Below it is a \
95 % interval over seeds (Student's t), rounded where space is short: of the geometric mean where lower is better \
and no score is negative, otherwise of the mean. The words lower and higher say which scores are better. failed: \
seeds that diverged or gave no result. time: training time per seed, that of the batch divided by its seeds. The \
lines below a table list, by rank, shares of free runs that collapsed or escaped, of states off the grid, and of \
forecasts that are valid to their end (censored), where they exceed those of the truth. --json prints all digits, \
tests and p-values."""
_SIGNS = """\
= not found to be worse than the best, which does not mean that it is equal
? not tested: too few seeds, or entries without seeds whose scores of single test orbits are not stored"""


def show_ranking(ranking: Ranking, metric: str | None = None) -> None:
    """Print the tables of a ranking, and one over systems where several have the same methods.

    Args:
        ranking: the boards.
        metric: that alone ranks over systems; None: all together.
    """
    console = Console(highlight=False)
    console.print(ranking_table(ranking))
    over_systems = overall(ranking, metric)
    if over_systems is not None:
        alone = [overall(ranking, name) for name in over_systems.metrics] if metric is None else []
        console.print()
        console.print(OverallTable(over_systems, [one for one in alone if one is not None]))


def ranking_table(ranking: Ranking) -> RenderableType:
    """Return one table per system and data, and a legend.

    Metrics that do not fit beside each other go into further tables below, with the same entries in the same order.
    """
    repeats = Counter((board.system, board.data) for board in ranking.boards)
    tables = (_BoardTables(board, repeats[board.system, board.data] > 1) for board in ranking.boards)
    return Group(*tables, _Legend())


@dataclass(frozen=True)
class _BoardTables:
    """The tables of a board; the width of the terminal decides how many."""

    board: Board
    ambiguous: bool  # another board has the same system and data, but another evaluation

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _title(self.board)
        if self.ambiguous:
            yield Text(f"evaluation: {self.board.evaluation}")
        yield from _tables(self.board, options.max_width)
        for line in chain.from_iterable(
            part(self.board, options.max_width) for part in (_grids, _shares, _batches, _settings)
        ):
            yield Text(line, style="dim", no_wrap=True, overflow="ignore")
        yield ""


class _Legend:
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("\n".join(textwrap.wrap(_LEGEND, min(options.max_width, _LEGEND_WIDTH))))
        yield Text(_SIGNS)


def _title(board: Board) -> Text:
    data = "" if board.data == "data" else f", {board.data}"  # the label "data" stands for default settings
    return Text.assemble((board.system, "bold"), f"{data} (suite: {', '.join(board.suites)})")


def _tables(board: Board, width: int) -> Iterator[Text]:
    """Yield tables that together have every metric, each with as many as fit."""
    ranks, costs = _ranks(board), _costs(board)
    scores = [
        ScoreColumn(measure, [entry.scores[index] for entry in board.entries])
        for index, measure in enumerate(board.measures)
    ]
    room = width - ranks.width - costs.width - 2  # [characters] for names and scores; the 2 are gaps
    room_beside_all = room - sum(column.least_width + 1 for column in scores)
    room_beside_one = room - max((column.least_width + 1 for column in scores), default=0)
    names = _names(board, room_beside_all if room_beside_all >= _SHORT_NAME else room_beside_one)
    available = room - names.width
    for index, group in enumerate(_groups(scores, available) or [[]]):
        if index:
            yield Text()
        columns = [names, *_widened(group, available)]
        yield grid([ranks, *columns, costs], gap=1, rule_before_last=bool(scores))


def _groups(scores: Sequence[ScoreColumn], available: int) -> list[list[ScoreColumn]]:
    """Divide columns over as few tables as possible, in order, of about equal size."""
    needed = [column.least_width + 1 for column in scores]  # each column takes a gap of one character
    fewest = _packed(needed, available, most=len(scores))
    if not fewest:
        return []
    even = _packed(needed, available, most=math.ceil(len(scores) / len(fewest)))
    sizes, columns = (even if len(even) == len(fewest) else fewest), iter(scores)
    return [list(islice(columns, size)) for size in sizes]


def _packed(needed: Sequence[int], available: int, *, most: int) -> list[int]:
    """Return how many columns each table gets, at most `most`, where each is filled before the next."""
    sizes: list[int] = []
    left = 0
    for width in needed:
        if not sizes or width > left or sizes[-1] == most:
            sizes.append(0)
            left = available
        sizes[-1] += 1
        left -= width
    return sizes


def _widened(group: Sequence[ScoreColumn], available: int) -> list[Column]:
    """Return the columns of one table, with as many digits as the available width allows."""
    widths = [column.least_width for column in group]
    full = [column.widths[0] for column in group]
    for form in (-2, -3, 0):  # two digits everywhere come before three digits, and these before brackets
        targets = [column.widths[form] for column in group]
        widths = widened(widths, targets, available - sum(widths) - len(group))
    brackets = all(width >= most for width, most in zip(widths, full, strict=True))
    spare = min(len(group), available - sum(widths) - len(group))
    widths = [width + (index < spare) for index, width in enumerate(widths)]
    return [column.column(width, full=brackets) for column, width in zip(group, widths, strict=True)]


def _ranks(board: Board) -> Column:
    cells = [[f"{entry.rank}{_MARKS[entry.tier]}"] for entry in board.entries]
    return _left_column(["#", ""], [*cells, *_floor_cells(board, [""])])


def _names(board: Board, available: int) -> Column:
    """Return the column of models and trainers, folded to the available width."""
    width = max(_SHORTEST_NAME, min(_LONGEST_NAME, available))
    models, trainers = (shortened(getattr(entry, noun) for entry in board.entries) for noun in ("model", "trainer"))
    cells = [
        [*fold(models[entry.model], width, hang="  "), *fold(trainers[entry.trainer], width, indent=" ", hang="  ")]
        for entry in board.entries
    ]
    floor = [*fold("noise floor:", width), *fold("two true orbits", width, indent=" ")]
    return _left_column(["model", " trainer"], [*cells, *_floor_cells(board, floor)])


def _costs(board: Board) -> Column:
    cells = [[f"{entry.diverged + entry.failed}/{entry.seeds}", _seconds(entry)] for entry in board.entries]
    header = ["failed", "time"]
    width = max(len(line) for lines in (header, *cells) for line in lines)
    return Column(header, [*cells, *_floor_cells(board, [""])], "right", width)


def _seconds(entry: Entry) -> str:
    return "-" if entry.train_seconds is None else f"{number(round(entry.train_seconds, 2))} s"


def _floor_cells(board: Board, cell: Lines) -> list[Lines]:
    """Return the last row's cell; a board without metrics has no such row."""
    return [cell] if board.measures else []


def _left_column(header: Lines, cells: Sequence[Lines]) -> Column:
    return Column(header, cells, "left", max(len(line) for lines in (header, *cells) for line in lines))


def _shares(board: Board, width: int) -> Iterator[str]:
    """Yield what the scores cannot show, one kind of share at a time: the entries in which it exceeds the truth's."""
    seen = set()
    for index, measure in enumerate(board.measures):
        for name in filter(_is_share, measure.details):
            entries = list(_affected(board, index, name))
            text = f"{name.removesuffix('_share').replace('_', ' ')}: {', '.join(entries)}"
            if entries and text not in seen:
                seen.add(text)
                yield from fold(text, width, hang="  ")


def _is_share(name: str) -> bool:
    return name.endswith("_share")


def _grids(board: Board, width: int) -> Iterator[str]:
    """Yield the metrics that do not rank for want of resolution, and those with fewer bins than their convention."""
    for measure in board.measures:
        name, bins = measure.name.replace("_", " "), measure.details.get("bins")
        if not measure.resolved:
            text = (
                f"{name} does not rank: it has no resolution here, because two true orbits score "
                f"{number(measure.floor)} and a run at rest {number(measure.details['at_rest'])}"
            )
            yield from fold(text, width, hang="  ")
        elif bins is not None and bins < _BINS and "(" not in measure.name:
            yield from fold(f"{name}: {bins:.0f} bins per dimension, because orbits are short for {_BINS}", width)


def _affected(board: Board, index: int, name: str) -> Iterator[str]:
    """Yield rank and share of the entries in which a share is at least 1 % and exceeds that of the truth."""
    for entry in board.entries:
        score = entry.scores[index]
        share = 0.0 if score is None else score.details.get(name, 0.0)
        if share >= max(0.01, board.measures[index].details[name]):
            yield f"#{entry.rank} {percent(share)}"


def _batches(board: Board, width: int) -> Iterator[str]:
    """Yield the costs that compare where entries trained different numbers of seeds together."""
    if len({entry.seeds_together for entry in board.entries if entry.batch_seconds is not None}) < 2:
        return
    costs = [
        f"#{entry.rank} {number(1000 * entry.update_seconds)} ms, {number(round(entry.batch_seconds, 2))} s "
        f"({' or '.join(map(str, entry.seeds_together))})"
        for entry in board.entries
        if entry.update_seconds is not None and entry.batch_seconds is not None
    ]
    yield from fold(f"time per update and per batch (seeds trained together): {'; '.join(costs)}", width, hang="  ")


def _settings(board: Board, width: int) -> Iterator[str]:
    """Yield the settings that the names in the table leave out, one kind at a time."""
    common = {
        **shared(entry.model for entry in board.entries),
        **shared(entry.trainer for entry in board.entries),
    }
    for kind, settings in common.items():
        yield from fold(f"every {kind}: {settings}", width, hang="  ")
