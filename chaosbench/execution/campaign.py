"""A campaign: run the experiments that have no result yet, and publish each one when it ends."""

from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chaosbench.checkpoints import EVERY, FOLDER, Checkpoints
from chaosbench.data import DataSpec, require_possible, simulate
from chaosbench.errors import DataError, StoreError, one_line
from chaosbench.execution.engines import Engine, run_all
from chaosbench.execution.grouping import Group
from chaosbench.execution.happenings import Event, Finished, GivenUp
from chaosbench.execution.journal import Journal
from chaosbench.execution.leases import Leases
from chaosbench.execution.limits import Limits
from chaosbench.execution.local import Site, local
from chaosbench.execution.sharing import Queue
from chaosbench.experiment import Experiment, Result
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import FINISHED, Stored, read
from chaosbench.monitor.costs import Costs
from chaosbench.plugin_choice import Choice
from chaosbench.provenance import of_command, of_experiment, of_machine
from chaosbench.search.study import require
from chaosbench.source import Source
from chaosbench.systems.base import SystemSpec


@dataclass(frozen=True)
class Published:
    """A finished experiment has been written to its folder and read back.

    Attributes:
        finished: the event with the result.
        stored: the content of the folder.
    """

    finished: Finished
    stored: Stored


def missing(
    experiments: Sequence[Experiment], stored: Iterable[Stored], rerun: Collection[str] = ()
) -> list[Experiment]:
    """Return the experiments that still have to run, each with only the seeds that are missing.

    A seed is missing if it has no run, or only runs that ended with one of these statuses.

    Args:
        experiments: those of the suite.
        stored: what the results directory has.
        rerun: statuses whose experiments run again, or "all" for every one without a result.
    """
    done = store.done_seeds(stored, None if "all" in rerun else rerun)
    todo = []
    for experiment in experiments:
        seeds = tuple(seed for seed in experiment.seeds if seed not in done.get(experiment.identity, set()))
        if seeds:
            todo.append(experiment if seeds == experiment.seeds else experiment.replaced(seeds=seeds))
    return todo


def check_data(experiments: Iterable[Experiment]) -> None:
    """Check that data can be made and fit into memory, and that trainers can work with recorded series.

    Raises:
        DataError: with everything that does not fit.
    """
    together: dict[tuple[Source, DataSpec], list[Experiment]] = {}
    for experiment in experiments:
        together.setdefault((experiment.system, experiment.data), []).append(experiment)
    problems = []
    for (system, spec), group in together.items():
        require_possible(system, spec)
        if isinstance(system, SystemSpec):
            continue
        data = simulate(system, spec)
        for experiment in group:
            try:
                experiment.trainer.check(data)
            except DataError as error:
                problems.append(f"{experiment.name}: {error}")
    if problems:
        raise DataError("; ".join(dict.fromkeys(problems)))


def check_searches(experiments: Iterable[Experiment]) -> None:
    """Check that what a search needs is installed.

    Raises:
        SpecError: where it is not.
    """
    if any(experiment.search is not None for experiment in experiments):
        require()


def prepare(results: Path) -> None:
    """Create the results directory and check that it can be written.

    Raises:
        StoreError: where it cannot be written.
    """
    store.prepare(results)


def carry_on(
    groups: Sequence[Group],
    results: Path,
    *,
    device: str,
    workers: int,
    every: float = EVERY,
    plugins: Choice | None = None,
    versions: Mapping[str, str] | None = None,
    costs: Costs | None = None,
    limits: Limits | None = None,
    max_failures: int | None = None,
    check: Callable[[], object] | None = None,
    cluster: Callable[[Site], Engine] | None = None,
) -> Generator[Event | Published, None, None]:
    """Run experiments and publish each one.

    After an interruption, the same call goes on from the last checkpoints of the trainings that were running.
    Campaigns on the same results directory, on this machine or on others, share the experiments.

    Args:
        groups: see `carry_out`.
        every: time between two checkpoints of a training [s].
        plugins: those that the workers load; None: as the environment says.
        versions: of these plug-ins, for the provenance of runs that are lost; None: not recorded there.
        costs: what is known about the times of experiments, for those who watch; None: nothing.
        limits: of each experiment; None: the usual ones.
        max_failures: number of experiments without a result after which the campaign ends; None: it goes on.
        check: is called several times a second, and may raise; None: nothing is.
        cluster: returns the engine that runs the experiments; None: workers on this machine do.
    """
    store.prepare(results)
    logs, common, failures = results / "logs", {**of_command(), **of_machine(), **(versions or {})}, 0
    site = Site(device, logs, results / FOLDER, every, plugins or Choice.from_environment(), limits or Limits())
    engine: Engine = local(site, workers) if cluster is None else cluster(site)
    journal = Journal(results, groups, device=device, workers=workers, costs=costs)
    try:
        with Leases(results) as leases:
            queue = Queue(groups, results, leases)
            for event in run_all(queue, engine, check):
                journal.see(event)
                yield event
                if not isinstance(event, Finished):
                    continue
                result = event.result.with_provenance(common | of_experiment(event.experiment))
                published = Published(event, read(_written(result, results, journal.file(event.experiment))))
                journal.published(event.experiment)
                if not published.stored.retryable:
                    Checkpoints(event.result.experiment, results / FOLDER, device).discard()
                queue.done(event.experiment, published.stored.folder)
                yield published
                failures += any(run.status not in FINISHED for run in event.result.runs)
                if failures == max_failures and (left := len(queue) + engine.running):
                    yield GivenUp(failures, left)
                    return
    finally:
        engine.close()
        journal.close()
        if logs.is_dir() and not any(logs.iterdir()):
            logs.rmdir()


def _written(result: Result, results: Path, events: Path) -> Path:
    """Publish a result; where its content cannot be stored, publish runs with the status failed in its place.

    Raises:
        StoreError: where the directory cannot be written.
    """
    try:
        return store.write(result, results, events)
    except StoreError:
        raise
    except Exception as error:  # a plug-in may return anything
        message = f"the result cannot be stored: {one_line(error)}"
        lost = tuple(replace(run, status="failed", message=message) for run in result.runs)
        return store.write(Result(result.experiment, lost, ()), results, events)
