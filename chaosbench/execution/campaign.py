"""A campaign: run the experiments that have no result yet, and publish each one when it ends."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaosbench.execution.grouping import Group
from chaosbench.execution.workers import Event, Finished, carry_out
from chaosbench.experiment import Experiment
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import Stored, read


@dataclass(frozen=True)
class Published:
    """A finished experiment has been written to its folder and read back.

    Attributes:
        finished: the event with the result.
        stored: the content of the folder.
    """

    finished: Finished
    stored: Stored


def missing(experiments: Sequence[Experiment], stored: Iterable[Stored]) -> list[Experiment]:
    """Return the experiments that still have to run, each with only the seeds that have no result yet."""
    done = store.done_seeds(stored)
    todo = []
    for experiment in experiments:
        seeds = tuple(seed for seed in experiment.seeds if seed not in done.get(experiment.identity, set()))
        if seeds:
            todo.append(experiment if seeds == experiment.seeds else experiment.replaced(seeds=seeds))
    return todo


def prepare(results: Path) -> None:
    """Create the results directory and check that it can be written.

    Raises:
        StoreError: where it cannot be written.
    """
    store.prepare(results)


def carry_on(
    groups: Sequence[Group], results: Path, *, device: str, workers: int
) -> Generator[Event | Published, None, None]:
    """Run experiments and publish each one; an interruption loses only the experiments that are running.

    Args:
        groups: see `carry_out`.
    """
    store.prepare(results)
    logs = results / "logs"
    events = carry_out(groups, device=device, workers=workers, logs=logs)
    try:
        for event in events:
            yield event
            if isinstance(event, Finished):
                yield Published(event, read(store.write(event.result, results)))
    finally:
        events.close()
        if logs.is_dir() and not any(logs.iterdir()):
            logs.rmdir()
