"""The plan of a campaign before it runs: its time, memory and disk, and the refusal of one that cannot fit."""

import math
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chaosbench.errors import SpecError
from chaosbench.execution.grouping import Group
from chaosbench.execution.memory import usable_memory
from chaosbench.execution.placement import Placement
from chaosbench.execution.timing import measured
from chaosbench.experiment import Experiment
from chaosbench.formats import size
from chaosbench.leaderboard.folder import Stored
from chaosbench.monitor.costs import Costs, Estimate, Observation, Work, makespan, observed
from chaosbench.monitor.known import known, remember
from chaosbench.provenance import host
from chaosbench.trainers.base import observed_dimension

MEASURING = 60.0  # [s] that measurements take at most

_START, _PICTURES = 5.0, 3.0  # [s] until the first worker trains, and of a processor for the pictures of an experiment
_WORKER, _SHARED = 500 << 20, 250 << 20  # memory of a worker with the smallest network, and the part that all share
_ACTIVATIONS, _COPIES = 12, 2  # numbers kept for each unit and step of an update, and for each step of an evaluation
_RECORD = 1_200  # [bytes] that each update leaves in the records of a training
_FOLDER, _ARRAYS = 2 << 20, 3  # size of a folder without orbits, and how often orbits lie in it: pictures have tables
_SURE = 0.35  # relative uncertainty of a time above which it is measured, if asked for


@dataclass(frozen=True)
class Plan:
    """The expected needs of a campaign.

    Attributes:
        seconds: until its end, with all workers [s].
        alone: until the end with one worker [s].
        spread: standard deviation of the logarithm of both.
        experience: number of experiments on which the times are based.
        memory: of the largest worker [bytes].
        together: of all workers [bytes].
        disk: of the results [bytes].
    """

    seconds: float
    alone: float
    spread: float
    experience: int
    memory: int
    together: int
    disk: int

    @property
    def range(self) -> tuple[float, float]:
        """Times between which the end lies in four of five cases [s]."""
        factor = math.exp(1.28 * self.spread)
        return self.seconds / factor, self.seconds * factor


def planned(
    groups: Sequence[Group], stored: Iterable[Stored], where: Placement, *, measure_first: bool
) -> tuple[Costs, Plan]:
    """Return what is known about times, and the plan that follows from it.

    Args:
        groups: what will run.
        stored: the content of the results directory.
        where: device and number of workers.
        measure_first: time what is unknown before.
    """
    costs = experience(stored, where.device)
    if measure_first:
        measure(groups, costs, where.device)
    return costs, plan(groups, costs, where.workers)


def experience(stored: Iterable[Stored], device: str) -> Costs:
    """Return what is known about times on a device: from a results directory and from this machine's cache.

    Args:
        stored: the content of the results directory.
        device: "cpu", a CUDA device, or "auto" where it is not decided yet, which counts as a CPU.
    """
    device = "cpu" if device == "auto" else device
    own = (one for each in stored if (one := observed(each, device=device, host=host())) is not None)
    return Costs(dict.fromkeys([*known(device=device, host=host()), *own]))


def measure(groups: Sequence[Group], costs: Costs, device: str) -> None:
    """Time experiments whose cost is unknown by a few updates, the longest first, and remember the times.

    One stands for all with the same model and trainer. After a minute no more are begun.
    """
    waiting = {(one.model.kind, one.trainer.kind): one for group in groups for one in group}
    estimates = {key: costs.estimate(_work(one)) for key, one in waiting.items()}
    longest = sorted(waiting, key=lambda key: -estimates[key].seconds)
    chosen = [waiting[key] for key in longest if estimates[key].spread > _SURE]
    found = []
    for one, cost in zip(chosen, measured(chosen, device, budget=MEASURING), strict=True):
        if math.isfinite(cost.update):
            found.append(Observation(_work(one), cost.update, cost.rest))
            costs.add(found[-1])
    remember(found, device=device, host=host())


def plan(groups: Sequence[Group], costs: Costs, workers: int) -> Plan:
    """Return what groups of experiments are expected to need, by what is known about times.

    Args:
        groups: what will run.
        costs: what is known.
        workers: number of processes at a time.
    """
    estimates = [_estimate(group, costs) for group in groups]
    times = [one.seconds + len(group) * _PICTURES for one, group in zip(estimates, groups, strict=True)]
    whole = sum(times)
    spread = sum(one.spread * seconds for one, seconds in zip(estimates, times, strict=True)) / whole if whole else 0.0
    memories = sorted((max(map(memory_of, group)) for group in groups), reverse=True)[:workers]
    disk = sum(disk_of(one) for group in groups for one in group)
    together = sum(memories) - _SHARED * (len(memories) - 1) if memories else 0
    seconds, alone = (_START + makespan(times, count) if times else 0.0 for count in (workers, 1))
    return Plan(seconds, alone, spread, len(costs), max(memories, default=0), together, disk)


def require_room(plan: Plan, results: Path) -> None:
    """Check that workers fit into the machine's memory, and results on the disk.

    Raises:
        SpecError: with the estimate, where they do not.
    """
    memory = usable_memory()
    if plan.together > memory:
        raise SpecError(
            f"the workers need about {size(plan.together)} of memory, up to {size(plan.memory)} each, and this machine "
            f"has {size(memory)}; use fewer --workers, fewer seeds, or a smaller trainer.batch or evaluation.free_runs"
        )
    free = _free(results)
    if free is not None and plan.disk > free:
        raise SpecError(
            f"the results need about {size(plan.disk)}, and the disk of {str(results)!r} has {size(free)} left; choose "
            "--results on another disk, or run fewer experiments"
        )


def memory_of(experiment: Experiment) -> int:
    """Estimate the memory of a worker that runs an experiment [bytes]."""
    content, work = experiment.model_dump(mode="json"), _work(experiment)
    data: dict[str, Any] = content["data"]
    observables, item = observed_dimension(experiment.system, experiment.data), experiment.torch_dtype.itemsize
    orbits = sum(data[f"{part}_orbits"] * data[f"{part}_length"] for part in ("train", "validation", "test"))
    return int(
        _WORKER
        + orbits * observables * (16 + 2 * item)
        + work.seeds * work.window * work.width * _ACTIVATIONS * item
        + work.seeds * work.evaluation * observables * _COPIES * item
        + work.updates * _RECORD
    )


def disk_of(experiment: Experiment) -> int:
    """Estimate the size of an experiment's folder, pictures included [bytes]."""
    steps = min(experiment.evaluation.free_run_steps, 10_000)
    orbits = 4 * steps * observed_dimension(experiment.system, experiment.data) * (1 + len(experiment.seeds))
    work = _work(experiment)
    return int(_FOLDER + _ARRAYS * orbits + 40 * work.seeds * work.width**2)


def _work(experiment: Experiment) -> Work:
    return Work.of(experiment.model_dump(mode="json"))


def _estimate(group: Group, costs: Costs) -> Estimate:
    """Return the expected time of experiments that train as one batch, and are evaluated one by one."""
    works = [_work(one) for one in group]
    together = costs.estimate(replace(works[0], seeds=sum(one.seeds for one in works)))
    return Estimate(together.training, sum(costs.estimate(one).rest for one in works), together.spread)


def _free(results: Path) -> int | None:
    """Return the free space of the disk that a directory is on, or would be on [bytes]; None where unknown."""
    existing = next((path for path in (results, *results.absolute().parents) if path.exists()), None)
    try:
        return None if existing is None else shutil.disk_usage(existing).free
    except OSError:
        return None
