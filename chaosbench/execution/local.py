"""Run experiments in worker processes of this machine."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaosbench.checkpoints import EVERY, FOLDER
from chaosbench.execution.engines import InOrder, run_all
from chaosbench.execution.grouping import Group
from chaosbench.execution.happenings import Event
from chaosbench.execution.limits import Limits
from chaosbench.execution.placement import places
from chaosbench.execution.workers import Workers
from chaosbench.plugin_choice import Choice


@dataclass(frozen=True)
class Site:
    """The settings of a campaign: where and how its experiments run.

    Attributes:
        device: "cpu" or "cuda".
        logs, checkpoints: folders; on the nodes of a cluster, where they can be written there.
        every: time between two checkpoints of a training [s].
        plugins: those that the workers load.
        limits: of each experiment.
    """

    device: str
    logs: Path
    checkpoints: Path
    every: float
    plugins: Choice
    limits: Limits


def carry_out(
    groups: Sequence[Group],
    *,
    device: str,
    workers: int,
    logs: Path,
    checkpoints: Path | None = None,
    every: float = EVERY,
    plugins: Choice | None = None,
    limits: Limits | None = None,
) -> Generator[Event, None, None]:
    """Run experiments in at most `workers` processes at once, and yield events as they occur.

    The experiments of a group are trained as one batch; those that get no result are run again, each alone. Closing the
    generator ends all workers.

    Args:
        groups: the experiments to run, each alone (`alone`) or with others (`grouped`).
        device: "cpu", or a CUDA device.
        workers: the largest number of processes at a time.
        logs: see `Workers`.
        checkpoints: folder for the state of trainings; None: beside the logs.
        every: see `Workers`.
        plugins: those that the workers load; None: as the environment says.
        limits: of each experiment; None: the usual ones.
    """
    saving = logs.parent / FOLDER if checkpoints is None else checkpoints
    site = Site(device, logs, saving, every, plugins or Choice.from_environment(), limits or Limits())
    engine = local(site, workers)
    try:
        yield from run_all(InOrder(groups), engine)
    finally:
        engine.close()


def local(site: Site, workers: int) -> Workers:
    """Return `workers` workers of this machine, on its device or on all of its GPUs."""
    return Workers(
        places(site.device, workers),
        logs=site.logs,
        checkpoints=site.checkpoints,
        every=site.every,
        plugins=site.plugins,
        limits=site.limits,
    )
