"""The command `status`: how the campaigns on a results directory go, from its files alone."""

from typing import Annotated

import typer

from chaosbench.cli_output import AsJson, Results, print_json


def status(
    results: Results,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until the campaign ends or Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show how a campaign goes that runs elsewhere on this results directory, or how the last one ended.

    It only reads files, so that any shell, or any machine that sees the directory, can attach and leave.
    """
    from chaosbench.monitor.reading import Reader
    from chaosbench.terminal import status as report

    reader = Reader(results)
    if as_json:
        print_json(report.row(reader))
    elif watch:
        report.watch(reader)
    else:
        report.show(reader)
