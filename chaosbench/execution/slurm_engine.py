"""Experiments as jobs of Slurm, through submitit, which is imported when this engine is used."""

import math
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from chaosbench.errors import SpecError, one_line
from chaosbench.execution.grouping import Group
from chaosbench.execution.happenings import Event
from chaosbench.execution.jobs import Job, Running
from chaosbench.execution.local import Site
from chaosbench.experiment import Status

_MOST = 100  # jobs at a time, unless the user says otherwise
_TICK = 0.25  # [s] between two looks at the jobs
_SPARE = 10  # [min] of a job beyond its time limit, for loading modules and for scores
_STATES: dict[str, Status] = {"TIMEOUT": "timeout", "OUT_OF_MEMORY": "oom"}  # all others are crashed


class SlurmJobs:
    """Gives groups of experiments to Slurm, those that wait together as one array, and collects how they end.

    Partition, account and the like are those of the environment variables that sbatch reads, such as SBATCH_PARTITION.

    Args:
        site: where and how the jobs run; the nodes share the results directory and this environment.
        folder: for the files of submitit.
        jobs: the largest number at a time; None: 100.
        cluster: "slurm", or another executor of submitit, such as "local".

    Raises:
        SpecError: where submitit or Slurm is not installed, or the experiments have no time limit.
    """

    def __init__(self, site: Site, folder: Path, *, jobs: int | None = None, cluster: str = "slurm") -> None:
        submitit, limits = _submitit(), site.limits
        if limits.timeout is None:
            raise SpecError("--engine slurm needs --timeout, the time of an experiment, which jobs ask for")
        try:
            self._executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        except RuntimeError as error:
            raise SpecError(f"Slurm does not answer ({one_line(error)}); run this on a node that has sbatch") from error
        self._site, self._most, self._minutes = site, jobs or _MOST, limits.timeout / 60
        memory = {} if limits.memory is None else {"mem_gb": math.ceil(limits.memory / 1e9)}
        gpus = {"gpus_per_node": 1} if site.device != "cpu" else {}
        array = {"slurm_array_parallelism": self._most} if cluster == "slurm" else {}
        self._executor.update_parameters(name="chaosbench", cpus_per_task=1, **memory, **gpus, **array)
        self._waiting: list[Running] = []
        self._running: list[tuple[Any, Running]] = []

    @property
    def free(self) -> int:
        """Number of groups that can start now."""
        return self._most - len(self._running) - len(self._waiting)

    @property
    def busy(self) -> bool:
        """True while anything runs."""
        return bool(self._running or self._waiting)

    @property
    def running(self) -> int:
        """Number of experiments that run and have no result yet."""
        return sum(len(job.group) for job in [*self._waiting, *(job for _, job in self._running)])

    def start(self, group: Group) -> None:
        """Add a group to the next array of jobs."""
        self._waiting.append(Running.now(group))

    def events(self) -> Iterator[Event]:
        """Submit what waits, wait for a moment, and yield what has happened since the last call."""
        self._submit()
        time.sleep(_TICK)
        for job, running in list(self._running):
            if not job.done():
                continue
            self._running.remove((job, running))
            error = job.exception()
            if error is None:
                yield from job.result()
            else:
                yield from running.failed(_STATES.get(job.state, "crashed"), one_line(error))

    def close(self) -> None:
        """Cancel all jobs."""
        for job, _ in self._running:
            with suppress(Exception):  # it may have ended
                job.cancel()
        self._running.clear()

    def _submit(self) -> None:
        if not self._waiting:
            return
        largest = max(len(job.group) for job in self._waiting)
        self._executor.update_parameters(timeout_min=math.ceil(self._minutes * largest) + _SPARE)
        with self._executor.batch():
            jobs = [self._executor.submit(Job.of(one.group, self._site).run) for one in self._waiting]
        self._running += zip(jobs, self._waiting, strict=True)
        self._waiting = []


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        hint = "pip install 'chaosbench[slurm]'"
        raise SpecError(f"submitit is not installed, which --engine slurm needs: {hint}") from error
    return submitit
