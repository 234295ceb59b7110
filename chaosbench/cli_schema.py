"""The command `schema`: the fields of suite files and of stored tables; heavy imports are inside it."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chaosbench.cli_output import print_json
from chaosbench.cli_plugins import PluginFiles
from chaosbench.errors import SpecError, StoreError
from chaosbench.terminal.plugins import load_registry


class Table(StrEnum):
    """Contents that have a schema: the tables of `leaderboard.described`, and suite files."""

    suite = "suite"
    runs = "runs"
    records = "records"
    board = "board"


class Format(StrEnum):
    """The forms of a schema."""

    json = "json"
    markdown = "markdown"
    arrow = "arrow"


def schema(
    table: Annotated[
        Table, typer.Argument(help="suite: suite files, for editors; runs, records, board: the stored tables.")
    ] = Table.suite,
    form: Annotated[
        Format, typer.Option("--format", help="arrow is binary, for pyarrow.ipc.read_schema.")
    ] = Format.json,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file instead of the standard output.")
    ] = None,
    _plugins: PluginFiles = None,
) -> None:
    """Print the JSON schema of suite files, or the fields of a stored table with their units and meanings."""
    if table is Table.suite:
        if form is not Format.json or output is not None:
            raise SpecError("the schema of suite files is printed as JSON; name a table for --format and --output")
        from chaosbench import suite

        print_json(suite.schema(load_registry()))
        return
    from chaosbench.leaderboard.described import FORMATS

    content = FORMATS[form](table)
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise StoreError(f"cannot write {str(output)!r}: {error.strerror or error}") from error
