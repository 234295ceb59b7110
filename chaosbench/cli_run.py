"""The command that runs a suite; heavy imports are inside it, so that `--help` is fast."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chaosbench import options
from chaosbench.cli_output import results_directory
from chaosbench.cli_plugins import PluginFiles
from chaosbench.interrupts import Interrupts
from chaosbench.processes import start_server
from chaosbench.terminal.plugins import load_registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaosbench.execution import Group, Limits, Placement
    from chaosbench.execution.engines import Engine
    from chaosbench.execution.local import Site
    from chaosbench.experiment import Experiment
    from chaosbench.monitor.costs import Costs
    from chaosbench.registry import Registry
    from chaosbench.terminal.campaign import Outcome

_FAILURES = "Limits and failures"  # panel of the help text

Timeout = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="End an experiment that takes longer, such as 30m (default: none).",
        rich_help_panel=_FAILURES,
    ),
]
Stalled = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        help="End an experiment that makes no progress and uses no CPU for so long; none: never.",
        rich_help_panel=_FAILURES,
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="End an experiment that uses more memory, such as 4GB (default: each worker's share of the machine).",
        rich_help_panel=_FAILURES,
    ),
]
Rerun = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STATUS",
        help="Run experiments again that ended as failed, crashed, timeout or oom, or all of these; repeatable.",
        rich_help_panel=_FAILURES,
    ),
]
EngineName = Annotated[str, typer.Option("--engine", help="local, ray (a cluster that is running) or slurm (jobs).")]
Address = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Address of the Ray cluster (default: the one that this machine belongs to)."),
]
Shard = Annotated[
    str | None,
    typer.Option(metavar="I/N", help="Run only each N-th experiment, from the I-th on, for N commands side by side."),
]
FailFast = Annotated[
    bool, typer.Option("--fail-fast", help="Stop at the first experiment that fails.", rich_help_panel=_FAILURES)
]
MaxFailures = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Stop when N experiments have failed.", rich_help_panel=_FAILURES),
]
JobsPerGpu = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Number of worker processes on each GPU (default: 1).")
]


def run(
    suite_name: Annotated[str, typer.Argument(metavar="SUITE", help="A suite by name, or the path of a TOML file.")],
    results: Annotated[
        Path,
        typer.Option(
            parser=results_directory,
            metavar="DIRECTORY",
            help="Where results go, a folder per experiment; or a URL such as s3://bucket/results.",
        ),
    ] = Path("results"),
    device: Annotated[str, typer.Option(help="auto (a GPU if it is faster here), cpu, cuda or cuda:N.")] = "auto",
    seeds: Annotated[str | None, typer.Option(help="Replace the suite's seeds: 0:5 for 0 to 4, or 1,4,7.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PART.FIELD=VALUE",
            help="Change a field: trainer.updates=100; a list is a grid; repeatable.",
        ),
    ] = None,
    systems: Annotated[
        list[str] | None, typer.Option("-s", "--system", help="Run only systems of this kind or label; repeatable.")
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option("-m", "--model", help="Run only models of this kind or label; repeatable.")
    ] = None,
    trainers: Annotated[
        list[str] | None, typer.Option("-t", "--trainer", help="Run only trainers of this kind or label; repeatable.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of worker processes (default: one per core, or on each GPU).")
    ] = None,
    together: Annotated[
        bool | None,
        typer.Option(
            "--together/--alone",
            show_default=False,
            help="Train experiments that differ only in numbers, such as a learning rate or a forcing interval, as one "
            "batch, or each alone (default: together on a GPU, alone on a CPU).",
        ),
    ] = None,
    jobs_per_gpu: JobsPerGpu = None,
    shard: Shard = None,
    engine: EngineName = "local",
    address: Address = None,
    timeout: Timeout = None,
    stalled: Stalled = "10m",
    memory: Memory = None,
    rerun: Rerun = None,
    fail_fast: FailFast = False,
    max_failures: MaxFailures = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run and what it needs, and stop.")
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Time a few updates first, for a better estimate.")
    ] = False,
    _plugins: PluginFiles = None,
) -> None:
    """Run the experiments of a suite that have no result yet, and show the ranking."""
    if not dry_run:
        start_server()  # it loads torch on another core while this process does
    from chaosbench import suite
    from chaosbench.execution import Limits, cluster

    limits = Limits(
        None if timeout is None else options.seconds(timeout, "--timeout"),
        None if stalled == "none" else options.seconds(stalled, "--stalled"),
        None if memory is None else options.size(memory, "--memory"),
    )
    registry = load_registry()
    selection = suite.Selection(
        systems or (), models or (), trainers or (), options.seeds(seeds), options.changes(changes)
    )
    wish = _Wish(
        results,
        device,
        workers,
        jobs_per_gpu or 1,
        together,
        limits,
        options.shard(shard),
        options.statuses(rerun),
        1 if fail_fast else max_failures,
        cluster(engine, results, address=address, jobs=workers, per_gpu=jobs_per_gpu or 1),
        dry_run,
        measure,
    )
    _run(suite.load(suite_name, registry, selection), wish, registry)


@dataclass(frozen=True)
class _Wish:
    """How to run, as the options say."""

    results: Path
    device: str
    workers: int | None
    jobs_per_gpu: int
    together: bool | None
    limits: "Limits"
    shard: slice
    rerun: tuple[str, ...]
    max_failures: int | None
    cluster: "Callable[[Site], Engine] | None"
    dry_run: bool
    measure: bool


def _run(experiments: "list[Experiment]", wish: _Wish, registry: "Registry") -> None:
    """Run what is missing of the experiments, and show the ranking of all of them."""
    from chaosbench import execution
    from chaosbench.leaderboard import store
    from chaosbench.terminal import campaign
    from chaosbench.terminal.conclusion import conclude
    from chaosbench.terminal.drawing import draw_lost
    from chaosbench.terminal.remaining import left_as_they_are

    results = wish.results
    if wish.cluster is None:
        execution.check_device(wish.device)
    execution.check_searches(experiments)
    if not wish.dry_run:
        execution.prepare(results)
    stored = store.read_all(results, may_be_empty=True)
    own = experiments[wish.shard]
    todo = execution.missing(own, stored, wish.rerun)
    execution.check_data(todo)
    device = "cpu" if wish.cluster is not None and wish.device == "auto" else wish.device
    where = execution.place(todo, device, wish.workers, jobs_per_gpu=wish.jobs_per_gpu, may_measure=not wish.dry_run)
    groups = execution.groups(todo, where.device, wish.together)
    costs, plan = execution.planned(groups, stored, where, measure_first=wish.measure)
    campaign.announce(own, groups, results, where, plan)
    if wish.cluster is None:
        execution.require_room(plan, results)
    lost = left_as_they_are(own, todo, stored)
    if wish.dry_run:
        return
    outcome = _carried_out(groups, wish, where, registry, costs) if todo else campaign.Outcome()
    pictures = tuple(registry.kinds["picture"].values())
    draw_lost(experiments, stored, pictures)
    conclude(experiments, store.merge(stored, outcome.published), results, pictures)
    if outcome.failed or lost:
        raise typer.Exit(1)


def _carried_out(
    groups: "list[Group]", wish: _Wish, where: "Placement", registry: "Registry", costs: "Costs"
) -> "Outcome":
    """Run groups of experiments, and show their progress."""
    from chaosbench import execution
    from chaosbench.leaderboard import mirror
    from chaosbench.terminal import campaign

    interrupts, pictures = Interrupts(), registry.kinds["picture"].values()
    common: dict[str, Any] = {"workers": where.workers, "plugins": registry.choice(), "costs": costs}
    events = execution.carry_on(
        groups,
        wish.results,
        device=where.device,
        versions=registry.provenance(),
        limits=wish.limits,
        max_failures=wish.max_failures,
        check=interrupts.check,
        cluster=wish.cluster,
        **common,
    )
    todo = [experiment for group in groups for experiment in group]
    with interrupts:
        events = mirror.pushed(events, wish.results)
        return campaign.show(events, todo, pictures, check=interrupts.check, **common)
