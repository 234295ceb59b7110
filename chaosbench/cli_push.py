"""The command `push`: results go to a remote store."""

from pathlib import Path
from typing import Annotated

import typer

from chaosbench.errors import SpecError


def push(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS", help="A results directory, or the URL whose mirror is to be pushed.")
    ],
    url: Annotated[
        str | None, typer.Argument(metavar="URL", help="The remote store, such as s3://bucket/results.")
    ] = None,
) -> None:
    """Put finished results on a remote store, each only if it is not there.

    After a campaign with `--results URL` that did not reach the store, `chaosbench push URL` puts the rest there.
    """
    from chaosbench.leaderboard import mirror
    from chaosbench.leaderboard.remote import Remote
    from chaosbench.leaderboard.store import folders

    folder = mirror.opened(results) if "://" in results else Path(results)
    remote = mirror.remote_of(folder) if url is None else Remote(url)
    if remote is None:
        raise SpecError(f"{results!r} mirrors no remote store; give the URL of one, such as s3://bucket/results")
    counts = remote.push_all(folders(folder))
    print(f"{counts['pushed']} pushed to {remote.url}, {counts['present']} already there", end="")
    print(f", {counts['other']} left out: the store has other results of them" if counts["other"] else "")
