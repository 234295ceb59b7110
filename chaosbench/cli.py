"""The command line: parse, call, show. Heavy imports stay inside commands, so that `--help` answers at once."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chaosbench import __version__, options
from chaosbench.errors import ChaosbenchError, SpecError, unknown_name

if TYPE_CHECKING:
    from chaosbench.registry import Registry
    from chaosbench.systems import SystemSpec

app = typer.Typer(
    name="chaosbench",
    help="Benchmark recurrent networks on chaotic data: fair rankings, and why a method failed.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
plugins_app = typer.Typer(help="What plug-ins there are.")
app.add_typer(plugins_app, name="plugins")


_LISTINGS = ("systems", "models", "trainers", "diagnostics", "metrics", "suites")
_INTERRUPTED = 130
_UsageError: Any = typer.BadParameter.__base__  # of click, which newer releases of Typer carry inside
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def main() -> None:
    """The console script: users' mistakes end in one line and exit code 2."""
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except _UsageError as error:
        _tell(f"{error.format_message()} See: chaosbench --help")
        code = 2
    except ChaosbenchError as error:
        _tell(str(error))
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    if code == _INTERRUPTED:  # Typer may turn the interrupt into this code by itself
        _tell("interrupted; what was finished is kept, and the same command goes on from there")
    sys.exit(code)


def _tell(text: str) -> None:
    """One line, whatever is in it."""
    print(" ".join(text.split()), file=sys.stderr)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Benchmark recurrent networks on chaotic data: fair rankings, and why a method failed."""


@app.command()
def run(
    suite_name: Annotated[str, typer.Argument(metavar="SUITE", help="A shipped suite, or the path of a TOML file.")],
    results: Annotated[Path, typer.Option(help="Where finished experiments are kept, one folder each.")] = Path(
        "results"
    ),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    seeds: Annotated[str | None, typer.Option(help="In place of the suite's: 0:5 for 0 to 4, or 1,4,7.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PART.FIELD=VALUE", help="trainer.updates=100; a list is a grid."),
    ] = None,
    systems: Annotated[list[str] | None, typer.Option("-s", "--system", help="Only this kind or label.")] = None,
    models: Annotated[list[str] | None, typer.Option("-m", "--model", help="Only this kind or label.")] = None,
    trainers: Annotated[list[str] | None, typer.Option("-t", "--trainer", help="Only this kind or label.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes at once; one per core unless told.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and run nothing.")] = False,
) -> None:
    """Run a suite, or what is missing of it, and show the ranking."""
    from chaosbench import execution, suite
    from chaosbench.leaderboard import store
    from chaosbench.terminal import campaign

    registry = _registry()
    selection = suite.Selection(
        systems or (), models or (), trainers or (), options.seeds(seeds), options.changes(changes)
    )
    experiments = suite.load(suite_name, registry, selection)
    where = _device(device)
    if not dry_run:
        execution.prepare(results)
    stored = store.read_all(results, may_be_empty=True)
    todo = execution.missing(experiments, stored)
    campaign.announce(experiments, todo, results, where)
    if dry_run:
        return
    count = workers or (1 if where.startswith("cuda") else _cores())
    events = execution.carry_on(todo, results, device=where, workers=count)
    outcome = campaign.show(events, todo) if todo else campaign.Outcome()
    campaign.conclude(experiments, store.merge(stored, outcome.published), results)
    if outcome.failed:
        raise typer.Exit(1)


@app.command()
def rank(
    results: Annotated[Path, typer.Argument(help="A results directory.")],
    as_json: AsJson = False,
) -> None:
    """Rank what a results directory holds, system by system."""
    from chaosbench.leaderboard import store
    from chaosbench.leaderboard.rank import rank as rank_experiments

    ranked = rank_experiments(store.read_all(results))
    if as_json:
        print(ranked.to_json())
        return
    from chaosbench.terminal.ranking import show_ranking

    show_ranking(ranked)


@app.command()
def explain(
    results: Annotated[Path, typer.Argument(help="A results directory.")],
    run_words: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="Words of its labels, bptt lstm say, or how its folder begins."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="This seed alone; the median one at length unless told.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell why runs went as they did: what theory says of their gradients, and what was measured."""
    from chaosbench.terminal import explanation

    name = " ".join(run_words or ())

    if as_json:
        _print_json(explanation.rows(results, name, seed))
    else:
        explanation.show(results, name, seed)


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(help=f"What to list: {', '.join(_LISTINGS)}.")], as_json: AsJson = False
) -> None:
    """List what exists: built in, and from plug-ins."""
    from chaosbench import suite
    from chaosbench.terminal import catalogue

    if what not in _LISTINGS:
        raise unknown_name("listing", what, _LISTINGS)
    if what == "suites":
        rows = [{"name": name, "summary": text} for name, text in suite.shipped().items()]
    else:
        rows = catalogue.rows(_registry(), what)
    if as_json:
        _print_json(rows)
    else:
        catalogue.show(what, rows)


@app.command()
def describe(
    kind: Annotated[str, typer.Argument(help="The kind of a system, model, trainer, diagnostic or metric.")],
    as_json: AsJson = False,
) -> None:
    """Tell all about a kind: what it is, its source, its fields and their defaults."""
    from chaosbench.terminal import catalogue

    description = catalogue.description(_registry(), kind)
    if as_json:
        _print_json(description)
    else:
        catalogue.show_description(description)


@app.command()
def certify(
    kind: Annotated[str, typer.Argument(help="The kind of a system.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="PARAMETER=VALUE", help="Another parameter, rho=38 say.")
    ] = None,
    budget: Annotated[str, typer.Option(help="About how long it may take: 60s or 5m.")] = "60s",
    as_json: AsJson = False,
) -> None:
    """Measure a system's Lyapunov exponents and check them; exit code 1 where a check fails."""
    import torch

    from chaosbench.exponents.certify import certify as certified
    from chaosbench.terminal import certificate as report

    torch.set_num_threads(1)  # tiny steps run many times slower on several threads of a busy machine
    certificate = certified(_system(kind, options.changes(changes)), budget=options.seconds(budget))
    if as_json:
        _print_json(report.row(certificate))
    else:
        report.show(certificate)
    if not certificate.passed:
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """Print the JSON schema of a suite file, for editors."""
    from chaosbench import suite

    _print_json(suite.schema(_registry()))


@plugins_app.command("list")
def plugins_list(as_json: AsJson = False) -> None:
    """List the installed plug-ins, the broken ones with their cause."""
    from chaosbench.terminal import catalogue

    registry = _registry(quiet=True)
    if as_json:
        _print_json(catalogue.plugin_rows(registry))
    else:
        catalogue.show_plugins(registry)


def _registry(*, quiet: bool = False) -> "Registry":
    """Every kind there is; a broken plug-in is told once, and stops nothing."""
    from chaosbench import registry

    loaded = registry.load()
    for plugin in loaded.plugins if not quiet else ():
        if plugin.error:
            print(
                f"plug-in {plugin.name!r} ({plugin.package} {plugin.version}) is broken and left out: {plugin.error}"
                f"; uninstall it, or name those to load in CHAOSBENCH_PLUGINS",
                file=sys.stderr,
            )
    return loaded


def _system(kind: str, changes: dict[str, Any]) -> "SystemSpec":
    """Return the system of that kind with some parameters changed."""
    from chaosbench import suite
    from chaosbench.systems import SystemSpec

    system = suite.validated(_registry().find("system", kind), {"kind": kind, **changes}, kind)
    if not isinstance(system, SystemSpec):
        raise SpecError(f"{system.label} has no equation and cannot be certified")
    return system


def _device(wanted: str) -> str:
    """The device that is meant, seen to exist."""
    import torch

    count = torch.cuda.device_count()
    if wanted == "auto":
        return "cuda" if count else "cpu"
    known = ["cpu", *(["cuda"] if count else []), *(f"cuda:{index}" for index in range(count))]
    if wanted not in known:
        raise SpecError(f"there is no device {wanted!r} on this machine; known: auto, {', '.join(known)}")
    return wanted


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
