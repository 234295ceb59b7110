"""The command that draws pictures of stored results again; heavy imports are inside it."""

from typing import Annotated

import typer

from chaosbench import options
from chaosbench.cli_output import Results
from chaosbench.cli_plugins import PluginFiles
from chaosbench.errors import SpecError, unknown_name


def draw(
    results: Results,
    run_words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            help="Experiments: words of labels, such as bptt lstm, or the start of a folder's name (default: all).",
        ),
    ] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="png or pdf; repeatable (default: png).")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of processes (default: one per core).")] = None,
    _plugins: PluginFiles = None,
) -> None:
    """Draw the pictures of stored results into their folders; exit with code 1 if one fails."""
    from chaosbench.execution.placement import cores
    from chaosbench.figures.draw import FORMATS, SCREEN, available
    from chaosbench.leaderboard.selection import select
    from chaosbench.terminal.drawing import draw_again
    from chaosbench.terminal.plugins import load_registry

    for name in formats or ():
        if name not in FORMATS:
            raise unknown_name("format", name, FORMATS, place="--format")
    if not available():
        raise SpecError("matplotlib is not installed, which draws the pictures; pip install 'chaosbench[plots]'")
    stored = select(options.folder(results), " ".join(run_words or ()), None)
    failed = draw_again(
        stored,
        None if run_words else results,
        load_registry(),
        workers=workers or cores(),
        formats=tuple(formats or SCREEN),
    )
    if failed:
        raise typer.Exit(1)
