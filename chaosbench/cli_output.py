"""Arguments and output that commands share: JSON, errors on standard error, and standard output that ends early."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from chaosbench.errors import printable


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


def discard_output() -> None:
    """Redirect standard output to nowhere, so that the interpreter does not fail to flush it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(text: str) -> None:
    """Print a message as one line on standard error."""
    print(printable(" ".join(text.split())), file=sys.stderr)


def print_json(content: Any) -> None:
    """Print content as JSON."""
    print(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
