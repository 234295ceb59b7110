"""The commands that rank and compare stored results; heavy imports are inside them."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaosbench.cli_output import AsJson, AsLayout, OnlyPart, Results, check_part, print_json
from chaosbench.errors import unknown_name

if TYPE_CHECKING:
    from chaosbench.leaderboard.board import Ranking
    from chaosbench.leaderboard.overall import Method

_First = Annotated[
    str, typer.Argument(metavar="A", help='A method: words of its labels, such as "bptt lstm", quoted together.')
]
_Second = Annotated[str, typer.Argument(metavar="B", help="Another method.")]
_Metric = Annotated[str | None, typer.Option(help="Compare in this metric alone (default: in all).")]
_Equal = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Scores that differ by less than this share are equal in practice.")
]


def rank(
    results: Results,
    as_json: AsJson = False,
    layout: AsLayout = None,
    part: OnlyPart = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check weights and forecasts as well; damaged results are left out.")
    ] = False,
    others: Annotated[
        list[Path] | None,
        typer.Option("--with", metavar="RESULTS", help="Rank together with these results, such as a published board."),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Rank over systems by this metric (default: by all).")] = None,
) -> None:
    """Show the ranking of a results directory: one table per system and data, and one over systems."""
    from chaosbench.boards import inside
    from chaosbench.leaderboard.overall import overall
    from chaosbench.leaderboard.printed import ranking_text

    check_part(part, layout)
    ranked = inside.ranked_together(results, others or (), every_file=check)
    known = [measure.name for board in ranked.boards for measure in board.measures]
    if metric is not None and metric not in known:
        raise unknown_name("metric of these boards", metric, known, place="--metric")
    if layout is not None:
        print(ranking_text(ranked, layout, part=part, metric=metric))
    elif as_json:
        over_systems = overall(ranked, metric)
        boards = dataclasses.asdict(ranked)
        print_json({**boards, "overall": None if over_systems is None else dataclasses.asdict(over_systems)})
    else:
        from chaosbench.terminal.ranking import show_ranking

        show_ranking(ranked, metric)


def compare(
    results: Results,
    first: _First,
    second: _Second,
    metric: _Metric = None,
    equal: _Equal = 0.05,
    as_json: AsJson = False,
    layout: AsLayout = None,
) -> None:
    """Compare two methods on every system: how often one beats the other, and how sure that is."""
    from rich.console import Console

    from chaosbench.leaderboard.printed import versus_text
    from chaosbench.leaderboard.versus import versus
    from chaosbench.terminal.overall import VersusTable

    ranking, one, other = _read(results, first, second)
    found = versus(ranking, one, other, metric=metric, equal=equal)
    if layout is not None:
        print(versus_text(found, layout))
    elif as_json:
        print_json(dataclasses.asdict(found))
    else:
        Console(highlight=False).print(VersusTable(found))


def power(
    results: Results,
    first: _First,
    second: _Second,
    metric: _Metric = None,
    equal: _Equal = 0.05,
    as_json: AsJson = False,
) -> None:
    """Show how many systems and seeds would tell two methods apart, and at what cost."""
    from rich.console import Console

    from chaosbench.leaderboard.versus import powers
    from chaosbench.terminal.overall import PowerTable

    ranking, one, other = _read(results, first, second)
    found = powers(ranking, one, other, metric=metric, equal=equal)
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
    else:
        Console(highlight=False).print(PowerTable(found))


def _read(results: Path, first: str, second: str) -> "tuple[Ranking, Method, Method]":
    from chaosbench.boards import inside
    from chaosbench.leaderboard.versus import method

    ranking = inside.ranked_together(results)
    return ranking, method(ranking, first), method(ranking, second)
