"""Arguments and output that commands share: JSON, errors on standard error, and standard output that ends early."""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from chaosbench.errors import ChaosbenchError, printable


def results_directory(text: str | Path) -> Path:
    """Parse a results directory: a path, or the URL of a remote store, of which the mirror is brought up to date."""
    from chaosbench.leaderboard.mirror import opened  # heavy

    return opened(str(text))


Results = Annotated[
    Path,
    typer.Argument(
        parser=results_directory, metavar="RESULTS", help="A results directory, or a URL such as s3://bucket/results."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Layout(StrEnum):
    """The layouts in which tables are printed, those of `leaderboard.layouts`."""

    csv = "csv"
    markdown = "markdown"
    latex = "latex"
    html = "html"


class Part(StrEnum):
    """The parts of a ranking."""

    systems = "systems"
    overall = "overall"


AsLayout = Annotated[Layout | None, typer.Option("--format", help="Print tables with intervals in this layout.")]
OnlyPart = Annotated[
    Part | None,
    typer.Option("--part", help="With --format, print the tables of single systems only, or the one over systems."),
]


def check_part(part: Part | None, layout: Layout | None) -> None:
    """Raise a `ChaosbenchError` where a part of a ranking is chosen without a layout, which alone has parts."""
    if part is not None and layout is None:
        raise ChaosbenchError(
            f"--part {part} chooses among the tables of --format; add --format markdown, or leave it out"
        )


def discard_output() -> None:
    """Redirect standard output to nowhere, so that the interpreter does not fail to flush it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def closed_output(arguments: Sequence[str]) -> int:
    """Return the exit code where nobody reads standard output any more, and say what that means for a campaign.

    Args:
        arguments: of the command; its first word is the command's name.
    """
    if "run" not in arguments[:1] or "--dry-run" in arguments:
        return 0
    with suppress(BrokenPipeError):  # nobody reads the errors either
        print_error(
            "the output was closed before its end, so that nothing more runs; finished experiments are kept, and the "
            "same command goes on: write its output to a file, or read it to the end"
        )
    return 1


def print_error(text: str) -> None:
    """Print a message as one line on standard error."""
    print(printable(" ".join(text.split())), file=sys.stderr)


def print_json(content: Any) -> None:
    """Print content as JSON."""
    print(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
