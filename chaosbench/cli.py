"""The command line; heavy imports are inside the commands, so that `--help` is fast."""

import errno
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chaosbench import (
    __version__,
    cli_authors,
    cli_boards,
    cli_certify,
    cli_draw,
    cli_explain,
    cli_plugins,
    cli_push,
    cli_rank,
    cli_run,
    cli_schema,
    cli_status,
    cli_trajectories,
    options,
    plugin_choice,
)
from chaosbench.cli_output import AsJson, closed_output, discard_output, print_error, print_json
from chaosbench.cli_plugins import PluginFiles
from chaosbench.errors import ChaosbenchError, SpecError, unknown_name
from chaosbench.interrupts import Interrupted, end_server, exit_code, farewell, leaving_at_once
from chaosbench.terminal.plugins import load_registry

if TYPE_CHECKING:
    from chaosbench.systems import SystemSpec

app = typer.Typer(
    name="chaosbench",
    help="Benchmark recurrent networks on chaotic data: fair rankings, and reasons why a method fails.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
plugins_app = typer.Typer(help="List, examine, write and test plug-ins.")
app.add_typer(plugins_app, name="plugins")
cli_trajectories.register(app)
app.command()(cli_run.run)
app.command()(cli_draw.draw)
app.command()(cli_explain.explain)
app.command()(cli_rank.rank)
app.command()(cli_rank.compare)
app.command()(cli_rank.power)
app.command()(cli_status.status)
app.command()(cli_schema.schema)
app.command()(cli_push.push)
cli_boards.register(app)
cli_plugins.register(plugins_app)
cli_authors.register(plugins_app)


_LISTINGS = ("systems", "models", "trainers", "diagnostics", "metrics", "pictures", "suites")
_UsageError: Any = typer.BadParameter.__base__  # a class of click, which newer releases of Typer vendor


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a pipe on Windows may lack the signs of tables
    try:
        with plugin_choice.restored(), leaving_at_once():
            code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        sys.stdout.flush()
    except _UsageError as error:
        print_error(f"{error.format_message()} See: chaosbench --help")
        code = 2
    except ChaosbenchError as error:
        print_error(str(error))
        code = 2
    except Interrupted as signal:
        end_server()
        print_error(farewell(signal.number, sys.argv[1:]))
        code = exit_code(signal.number)
    except (BrokenPipeError, SystemExit):  # the reader of a pipe, such as `head`, has gone; rich raises SystemExit
        discard_output()
        code = closed_output(sys.argv[1:])
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        discard_output()
        print_error(f"there is no space left on the device: {error.filename or 'the output cannot be written'}")
        code = 3
    sys.exit(code)


def _version(requested: bool) -> None:
    if requested:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Benchmark recurrent networks on chaotic data: fair rankings, and reasons why a method fails."""


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(metavar="WHAT", help=f"One of {', '.join(_LISTINGS)}.")],
    as_json: AsJson = False,
    _plugins: PluginFiles = None,
) -> None:
    """List the available systems, models, metrics, suites and so on, including those of plug-ins."""
    from chaosbench import suite
    from chaosbench.terminal import catalogue

    if what not in _LISTINGS:
        raise unknown_name("listing", what, _LISTINGS)
    if what == "suites":
        rows = catalogue.suite_rows(load_registry(), suite.shipped())
    else:
        rows = catalogue.rows(load_registry(), what)
    if as_json:
        print_json(rows)
    else:
        catalogue.show(what, rows)


@app.command()
def describe(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="A system, model, trainer, diagnostic, metric or picture.")
    ],
    as_json: AsJson = False,
    _plugins: PluginFiles = None,
) -> None:
    """Describe a kind: definition, source, fields and defaults."""
    from chaosbench.terminal import catalogue

    description = catalogue.description(load_registry(), kind)
    if as_json:
        print_json(description)
    else:
        catalogue.show_description(description)


@app.command()
def certify(
    kind: cli_certify.Kind,
    changes: cli_certify.Changes = None,
    budget: cli_certify.Budget = "60s",
    exponents: cli_certify.Exponents = None,
    start: cli_certify.Start = None,
    duration: cli_certify.Duration = None,
    as_json: AsJson = False,
    _plugins: PluginFiles = None,
) -> None:
    """Measure the Lyapunov exponents of a system and check them; exit with code 1 if a check fails."""
    from chaosbench.terminal import certificate as report

    system = _system(kind, options.changes(changes))
    certificate = cli_certify.certified(system, budget=budget, exponents=exponents, start=start, duration=duration)
    if as_json:
        print_json(report.row(certificate))
    else:
        report.show(certificate)
    if not certificate.passed:
        raise typer.Exit(1)


def _system(kind: str, changes: dict[str, Any]) -> "SystemSpec":
    """Return the system of a kind, with some parameters changed."""
    from chaosbench import suite
    from chaosbench.systems import SystemSpec

    system = suite.validated(load_registry().find("system", kind), {"kind": kind, **changes}, kind)
    if not isinstance(system, SystemSpec):
        raise SpecError(f"{system.label} has no equation and cannot be certified")
    return system
