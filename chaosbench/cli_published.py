"""Commands of published boards: differences, reviews, pages and archives; heavy imports are inside them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chaosbench.errors import StoreError

Board = Annotated[Path, typer.Argument(metavar="BOARD", help="The folder of a published board.")]


class Text(StrEnum):
    """The layouts of differences."""

    plain = "plain"
    markdown = "markdown"


def register(boards: typer.Typer) -> None:
    """Add the commands to those of boards."""
    for command in (diff, review, page, archive):
        boards.command()(command)


def diff(
    board: Board,
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="Another state of the same board.")],
    layout: Annotated[
        Text, typer.Option("--format", help="markdown has ranks and neighbours of the methods that are handed in.")
    ] = Text.plain,
) -> None:
    """Show what one board has and another lacks: submissions, levels, demands, and the ranks of their methods."""
    from chaosbench.boards.changes import changes
    from chaosbench.boards.review import changes_text

    found = changes(board, other)
    if layout is Text.markdown:
        print(changes_text(found))
        return
    if found.demands:
        print("the demands differ")
    for name, before, after in found.levels:
        print(f"{name}: {before} -> {after}")


def review(
    earlier: Annotated[Path, typer.Argument(metavar="EARLIER", help="A folder of boards, such as leaderboards.")],
    later: Annotated[Path, typer.Argument(metavar="LATER", help="The same folder with proposed changes.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A Markdown file (default: print it).")] = None,
) -> None:
    """Check proposed boards against the present ones, and show the ranks of new submissions; exit code 1: not valid."""
    from chaosbench.boards.review import review as reviewed
    from chaosbench.boards.review import to_text

    if not later.is_dir():
        raise StoreError(f"{str(later)!r} is no folder of boards")
    found = reviewed(earlier, later)
    text = to_text(found)
    if output is None:
        print(text)
    else:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise StoreError(f"cannot write {str(output)!r}: {error.strerror or error}") from error
    if any(one.findings for one in found):
        raise typer.Exit(1)


def page(
    board: Annotated[
        Path, typer.Argument(metavar="BOARD", help="The folder of a published board, or a folder of boards.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The HTML file (default: board.html, or index.html).")
    ] = None,
) -> None:
    """Write a board, or the index of a folder of boards, as one HTML file that loads nothing."""
    from chaosbench.page import is_site, write_page, write_site

    several = is_site(board)
    default = Path("index.html" if several else "board.html")
    path = (write_site if several else write_page)(board, output or default)
    print(f"written to {path} ({path.stat().st_size / 2**20:.1f} MiB)")


def archive(
    board: Board,
    output: Annotated[Path, typer.Option("--output", "-o", help="The archive, FILE.tar.gz.")],
) -> None:
    """Write a valid board as an archive that can be deposited and cited; the same board gives the same bytes."""
    from chaosbench.archiving import write_archive

    path = write_archive(board, output)
    print(f"written to {path} ({path.stat().st_size / 2**20:.1f} MiB)")
