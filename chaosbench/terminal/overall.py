"""The ranking over systems, and two methods against each other, as tables."""

import textwrap
from collections.abc import Mapping, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from chaosbench.formats import counted, number
from chaosbench.labels import shortened
from chaosbench.leaderboard import legend
from chaosbench.leaderboard.overall import Method, Overall
from chaosbench.leaderboard.printed import medians_of, open_ranks, p_value, versus_words, whole_percent
from chaosbench.leaderboard.versus import Power, Versus
from chaosbench.terminal.grid import Column, Lines, fold, grid

_LONGEST_NAME = 34  # [characters] beyond which a name is folded
_LEGEND_WIDTH = 100  # [characters]


class OverallTable:
    """The ranking over systems.

    Args:
        overall: by the metric that ranks.
        others: by each metric alone, of which the table shows the wins.
    """

    def __init__(self, overall: Overall, others: Sequence[Overall] = ()) -> None:
        self._overall, self._others = overall, others

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        overall, width = self._overall, options.max_width
        by = f", by {', '.join(overall.metrics)}".replace("_", " ")
        title = fold(f"over systems{by}; {counted(len(overall.boards), 'board')}: {'; '.join(overall.boards)}", width)
        yield Text("\n".join(title), style="bold")
        yield grid(self._columns(width), gap=2, rule_before_last=False)
        for line in _missing(overall, width):
            yield Text(line, style="dim", no_wrap=True, overflow="ignore")
        text = legend.over_systems(enough=overall.enough)
        yield Text("\n".join(textwrap.wrap(text, min(width, _LEGEND_WIDTH))))

    def _columns(self, width: int) -> list[Column]:
        standings = self._overall.standings
        models, trainers = (shortened(getattr(one, noun) for one in standings) for noun in ("model", "trainer"))
        ranks = [
            _column(["tier"], [[str(one.tier)] for one in standings], "right"),
            _column(["ranks:", "these"], [[open_ranks(one.on_these)] for one in standings], "right"),
            _column(["systems", "like these"], [[open_ranks(one.on_others)] for one in standings], "right"),
        ]
        wins = [_column(["wins", "[%]"], [[whole_percent(one.wins)] for one in standings], "right")]
        for other in self._others:
            wins.append(self._wins_of(other))
        lost = _column(["lost", "[%]"], [[whole_percent(one.lost)] for one in standings], "right")
        room = width - 2 - sum(column.width + 2 for column in (*ranks, wins[0], lost))
        while len(wins) > 1 and room - sum(column.width + 2 for column in wins[1:]) < 20:
            wins.pop()
        room -= sum(column.width + 2 for column in wins[1:])
        longest = max(12, min(_LONGEST_NAME, room))
        names = [
            [*fold(models[one.model], longest, hang="  "), *fold(trainers[one.trainer], longest, indent=" ", hang="  ")]
            for one in standings
        ]
        return [*ranks, _column(["model", " trainer"], names, "left"), *wins, lost]

    def _wins_of(self, other: Overall) -> Column:
        found: Mapping[Method, float] = {(one.model, one.trainer): one.wins for one in other.standings}
        cells = [
            [whole_percent(found[one.model, one.trainer]) if (one.model, one.trainer) in found else "-"]
            for one in self._overall.standings
        ]
        return _column([*fold(other.metrics[0].replace("_", " "), 12), "[%]"], cells, "right")


class VersusTable:
    """Two methods against each other, one line per board, and what they say together."""

    def __init__(self, versus: Versus) -> None:
        self._versus = versus

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        versus = self._versus
        for letter, (model, trainer) in zip("AB", (versus.first, versus.second), strict=True):
            yield Text("\n".join(fold(f"{letter}: {trainer} on {model}", options.max_width, hang="   ")))
        names = [name.replace("_", " ") for name in versus.metrics]
        yield Text("\n".join(fold(f"wins: by {', '.join(names)}", options.max_width)))
        yield Text(medians_of(versus))
        yield grid(self._columns(options.max_width), gap=2, rule_before_last=False)
        yield Text("\n".join(line for text in versus_words(versus) for line in fold(text, options.max_width)))

    def _columns(self, width: int) -> list[Column]:
        duels = self._versus.duels
        numbers = [
            _column(["A"], [[number(duel.medians[0])] for duel in duels], "right"),
            _column(["B"], [[number(duel.medians[1])] for duel in duels], "right"),
            _column(["A wins", "[%]"], [[whole_percent(duel.probability)] for duel in duels], "right"),
            _column(["p", ""], [[p_value(duel.p_value)] for duel in duels], "right"),
            _column(["runs"], [[f"{duel.seeds[0]}, {duel.seeds[1]}"] for duel in duels], "right"),
        ]
        room = max(12, width - sum(column.width + 2 for column in numbers))
        return [_column(["system"], [fold(duel.title, room, hang="  ") for duel in duels], "left"), *numbers]


class PowerTable:
    """How often campaigns of several sizes would tell two methods apart."""

    def __init__(self, powers: Sequence[Power]) -> None:
        self._powers = powers

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        powers = self._powers
        columns = [
            _column(["systems"], [[str(one.systems)] for one in powers], "right"),
            _column(["seeds"], [[str(one.seeds)] for one in powers], "right"),
            _column(["found on", "these [%]"], [[whole_percent(one.on_these)] for one in powers], "right"),
            _column(["found on others", "like these [%]"], [[whole_percent(one.on_others)] for one in powers], "right"),
            _column(["training", "[core h]"], [[_hours(one.hours)] for one in powers], "right"),
        ]
        yield grid(columns, gap=2, rule_before_last=False)
        text = (
            "found: share of campaigns of this size whose two-sided p-value is at most 5 %, if systems and runs are "
            "like those stored; 100 campaigns each, drawn from them with replacement."
        )
        yield Text("\n".join(textwrap.wrap(text, min(options.max_width, _LEGEND_WIDTH))))


def _missing(overall: Overall, width: int) -> list[str]:
    """Return lines about methods that are not ranked, because they lack boards."""
    if not overall.missing:
        return []
    everyone = [*overall.standings, *overall.missing]
    models, trainers = (shortened(getattr(one, noun) for one in everyone) for noun in ("model", "trainer"))
    entries = [
        f"{trainers[one.trainer]} on {models[one.model]} (lacks {len(one.boards)} of {len(overall.boards)})"
        for one in overall.missing
    ]
    return fold(f"not ranked: {'; '.join(entries)}", width, hang="  ")


def _column(header: Lines, cells: Sequence[Lines], justify: str) -> Column:
    width = max(len(line) for lines in (header, *cells) for line in lines)
    return Column(header, cells, "right" if justify == "right" else "left", width)


def _hours(hours: float | None) -> str:
    return "-" if hours is None else number(float(f"{hours:.2g}"))
