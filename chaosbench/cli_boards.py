"""The commands of published boards: pack, validate, and `leaderboard`; heavy imports are inside them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaosbench import cli_published
from chaosbench.cli_output import AsJson, AsLayout, OnlyPart, Results, check_part, print_json
from chaosbench.cli_published import Board
from chaosbench.errors import SpecError
from chaosbench.formats import counted

if TYPE_CHECKING:
    from chaosbench.leaderboard.submissions import Submission

Pack = Annotated[Path, typer.Argument(metavar="SUBMISSION", help="The folder of a submission, as `pack` writes it.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    boards = typer.Typer(help="Make, extend, build, show and verify published boards.")
    app.command()(pack)
    app.command()(validate)
    app.add_typer(boards, name="leaderboard")
    for command in (new, add, build, show, verify):
        boards.command()(command)
    cli_published.register(boards)


def pack(
    results: Results,
    name: Annotated[str, typer.Option(help="Of the submission; small letters, digits, dots, hyphens, underscores.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the folder of the submission is put.")] = Path(),
    author: Annotated[list[str] | None, typer.Option(help="Who answers for it; may be repeated.")] = None,
    code: Annotated[
        str, typer.Option(help="Address or command of the code that gives these numbers; without it there is no rank.")
    ] = "",
    saw: Annotated[
        str, typer.Option(help="What the models had seen before: data, systems, pre-trained weights.")
    ] = "nothing",
    suite: Annotated[str | None, typer.Option(help="Only the experiments of this suite.")] = None,
) -> None:
    """Pack results as a submission to a board: their tables and a manifest, without weights."""
    from chaosbench import __version__
    from chaosbench.leaderboard import store
    from chaosbench.leaderboard.once import counted_once
    from chaosbench.leaderboard.submissions import write_submission

    read = [one for one in store.read_all(results) if suite is None or one.runs[0]["suite"] == suite]
    stored = counted_once(sorted(read, key=lambda one: one.runs[0]["started"], reverse=True))
    names = sorted({one.runs[0]["suite"] for one in stored})
    if len(names) != 1:
        known = ", ".join(names) or "none"
        raise SpecError(f"{str(results)!r} has results of {len(names)} suites ({known}); choose one with --suite")
    folder = write_submission(
        output,
        stored,
        name=name,
        authors=author or (),
        code=code,
        saw=saw,
        version=__version__,
        day=datetime.now(UTC).date(),
    )
    left = sum(len(one.runs) for one in read) - sum(len(one.runs) for one in stored)
    if left:
        print(f"left out {counted(left, 'run')}, because their seeds were run again")
    print(f"packed {counted(len(stored), 'experiment')}: {folder}")


def validate(
    submission: Pack,
    board: Annotated[Path, typer.Option(metavar="BOARD", help="The board whose demands it must meet.")],
    as_json: AsJson = False,
) -> None:
    """Check a submission against the demands of a board and print what is wrong; exit code 1 if anything is."""
    from chaosbench.boards import lock, publish
    from chaosbench.boards import validate as checks
    from chaosbench.leaderboard.submissions import read_submission

    read = read_submission(submission)
    others = [one for one in publish.all_of(board) if one.folder.name != submission.name]
    findings = checks.validate(read, lock.read(board), others)
    if as_json:
        print_json([{"check": finding.check, "what": finding.what} for finding in findings])
    else:
        for finding in findings:
            print(f"[{finding.check}] {finding.what}")
        print("not valid" if findings else f"valid: {len(read.experiments)} experiments")
    if findings:
        raise typer.Exit(1)


def new(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A shipped suite by name, or a TOML file.")],
    board: Annotated[Path, typer.Argument(metavar="BOARD", help="The folder to make.")],
) -> None:
    """Make the folder of a board: the suite, and a lock of what every submission must meet."""
    from chaosbench.boards import demands
    from chaosbench.terminal.plugins import load_registry

    lock = demands.new(suite, board, load_registry())
    print(f"made {board}: {len(lock.boards)} systems, seeds {', '.join(map(str, lock.boards[0].seeds))}")


def add(board: Board, submission: Pack) -> None:
    """Add a valid submission to a board, and build the board again."""
    from chaosbench.boards import publish

    added = publish.add(board, submission)
    rows = publish.build(board)
    print(f"added {added.folder.name}: {len(added.experiments)} experiments; the board has {rows} runs")


def build(board: Board) -> None:
    """Check log and submissions of a board, and write board.parquet and board.csv."""
    from chaosbench.boards import publish

    publish.check_log(board)
    print(f"{board}: {publish.build(board)} runs")


def show(board: Board, as_json: AsJson = False, layout: AsLayout = None, part: OnlyPart = None) -> None:
    """Show the submissions of a board with their levels, and the ranking of those that have code."""
    import dataclasses

    from chaosbench.boards import publish
    from chaosbench.leaderboard.overall import overall
    from chaosbench.leaderboard.printed import ranking_text
    from chaosbench.terminal.ranking import show_ranking

    check_part(part, layout)
    submissions = publish.all_of(board)
    publish.check_log(board, submissions)
    levels = publish.levels(board, submissions)
    ranking = publish.ranked(submissions, levels)
    if layout is not None:
        print(ranking_text(ranking, layout, part=part))
        return
    if as_json:
        found = overall(ranking)
        print_json({"submissions": levels, "overall": None if found is None else dataclasses.asdict(found)})
        return
    for one in submissions:
        print(f"{one.folder.name}: {levels[one.folder.name]}; {len(one.experiments)} experiments; {_said(one)}")
    if ranking.boards:
        show_ranking(ranking)


def verify(
    board: Board,
    seeds: Annotated[
        str, typer.Option(help="secret: fresh seeds that nobody knows before; claimed: those handed in.")
    ] = "secret",
    systems: Annotated[int, typer.Option(min=1, help="Number of systems, which are drawn.")] = 3,
    methods: Annotated[
        int | None, typer.Option(min=1, help="Number of methods on each system, which are drawn (default: all).")
    ] = None,
    count: Annotated[int, typer.Option(min=2, help="Number of secret seeds of each method.")] = 10,
    submission: Annotated[str | None, typer.Option(help="The folder's name (default: the newest submission).")] = None,
    results: Annotated[
        Path | None, typer.Option(help="Where runs are kept, so that the command can go on (default: a new folder).")
    ] = None,
    rescore: Annotated[
        Path | None, typer.Option(metavar="RESULTS", help="Instead of training, score the weights stored there again.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Run a part of a submission again and test whether its claims hold; exit code 1 if they do not."""
    from chaosbench import __version__
    from chaosbench.boards import publish, verifying

    chosen = _chosen(publish.all_of(board), submission)
    if seeds not in ("secret", "claimed"):
        raise SpecError(f"--seeds {seeds!r}: give secret or claimed")
    plan = verifying.Plan(seeds == "secret", systems, methods, count, workers)
    found = (
        verifying.by_weights(chosen, rescore)
        if rescore is not None
        else verifying.by_runs(chosen, board, plan, results, say=lambda text: None if as_json else print(text))
    )
    path = publish.write_verification(board, found.content(__version__))
    publish.build(board)
    if as_json:
        print_json(found.content(__version__))
    else:
        print(verifying.told(found))
        print(f"written to {path}")
    if not found.holds:
        raise typer.Exit(1)


def _chosen(submissions: "list[Submission]", name: str | None) -> "Submission":
    from chaosbench.errors import unknown_name

    names = [one.folder.name for one in submissions]
    if not submissions:
        raise SpecError("the board has no submission to verify")
    if name is None:
        return submissions[-1]
    if name not in names:
        raise unknown_name("submission", name, names)
    return submissions[names.index(name)]


def _said(submission: "Submission") -> str:
    manifest = submission.manifest
    return f"code: {manifest.code or 'none, so it has no rank'}; saw before: {manifest.saw}"
