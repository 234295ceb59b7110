"""Experiments on a Ray cluster that is running already; ray is imported when this engine is used."""

from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

from chaosbench.errors import SpecError, one_line
from chaosbench.execution.grouping import Group
from chaosbench.execution.happenings import Advanced, Event
from chaosbench.execution.jobs import Job, Running
from chaosbench.execution.local import Site
from chaosbench.progress import Progress

_RETRIES = 3  # of a job whose node was lost, on other nodes
_TICK = 0.25  # [s] at most between two looks at the jobs
_SOONEST = 1.0  # [s] between two reports of progress of an experiment


class RayCluster:
    """Gives groups of experiments to a Ray cluster, and collects how they end.

    A job whose node is lost runs again on another one, from its last checkpoint where the nodes share the results
    directory.

    Args:
        site: where and how the jobs run; chaosbench and its plug-ins are installed on the nodes.
        address: of the cluster; None: the one that this machine belongs to.
        jobs: the largest number at a time; None: one for each CPU, or GPU, of the cluster.
        per_gpu: number of jobs on each GPU.

    Raises:
        SpecError: where ray is not installed, or no cluster answers.
    """

    def __init__(self, site: Site, *, address: str | None = None, jobs: int | None = None, per_gpu: int = 1) -> None:
        self._ray = ray = _ray()
        try:
            ray.init(address=address or "auto", log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
        except (ConnectionError, ValueError, RuntimeError) as error:
            where = f"at {address!r}" if address else "that this machine belongs to"
            hint = "start one with `ray start --head`, or give --address"
            raise SpecError(f"there is no Ray cluster {where} ({one_line(error)}); {hint}") from error
        on_gpu = site.device != "cpu"
        resources = ray.cluster_resources()
        there = int(resources.get("GPU", 0)) * per_gpu if on_gpu else int(resources.get("CPU", 1))
        self._site, self._most = site, jobs or max(1, there)
        share = 1 / per_gpu if on_gpu else 0
        # A fresh process for each job, since those before may have left anything behind.
        options = {"num_cpus": 1, "num_gpus": share, "max_calls": 1, "max_retries": _RETRIES, "retry_exceptions": False}
        self._task = ray.remote(**options)(_run)
        self._board = ray.remote(num_cpus=0)(_Board).remote()
        self._running: dict[Any, Running] = {}
        self._numbers: dict[int, Running] = {}

    @property
    def free(self) -> int:
        """Number of groups that can start now."""
        return self._most - len(self._running)

    @property
    def busy(self) -> bool:
        """True while anything runs."""
        return bool(self._running)

    @property
    def running(self) -> int:
        """Number of experiments that run and have no result yet."""
        return sum(len(job.group) for job in self._running.values())

    def start(self, group: Group) -> None:
        """Give a group to the cluster."""
        number, job = len(self._numbers), Running.now(group)
        reference = self._task.remote(Job.of(group, self._site), number, self._board)
        self._running[reference] = self._numbers[number] = job

    def events(self) -> Iterator[Event]:
        """Wait for a moment, and yield what has happened since the last call."""
        ray = self._ray
        ready, _ = ray.wait(list(self._running), num_returns=1, timeout=_TICK)
        yield from self._progress()
        for reference in ready:
            job = self._running.pop(reference)
            try:
                yield from ray.get(reference)
            except ray.exceptions.OutOfMemoryError as error:
                yield from job.failed("oom", one_line(error))
            except ray.exceptions.RayError as error:
                yield from job.failed("crashed", one_line(error))

    def close(self) -> None:
        """End everything that runs, and leave the cluster as it was."""
        for reference in self._running:
            with suppress(Exception):  # it may have ended, or the cluster may be gone
                self._ray.cancel(reference, force=True)
        self._running.clear()
        self._ray.shutdown()

    def _progress(self) -> Iterator[Event]:
        with suppress(self._ray.exceptions.RayError):  # the node with the board was lost; results do not depend on it
            for number, index, progress in self._ray.get(self._board.take.remote(), timeout=5):
                yield Advanced(self._numbers[number].group[index], progress)


class _Board:
    """Collects reports of progress, on the cluster."""

    def __init__(self) -> None:
        self._reports: dict[tuple[int, int], Progress] = {}

    def put(self, number: int, index: int, progress: Progress) -> None:
        """Keep the newest report of an experiment."""
        self._reports[number, index] = progress

    def take(self) -> list[tuple[int, int, Progress]]:
        """Return the reports since the last call."""
        reports, self._reports = self._reports, {}
        return [(*key, progress) for key, progress in reports.items()]


def _run(job: Job, number: int, board: Any) -> list[Any]:
    """Run a job on a node, and report its progress now and then."""
    last, places = dict[str, float](), dict[str, int]()

    def tell(event: Advanced) -> None:
        key, progress = event.experiment.digest(), event.progress
        index = places.setdefault(key, len(places))
        if progress.phase != "training" or monotonic() - last.get(key, 0.0) > _SOONEST:
            last[key] = monotonic()
            board.put.remote(number, index, progress)

    return list(job.run(tell))


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise SpecError("ray is not installed, which --engine ray needs: pip install 'chaosbench[ray]'") from error
    return ray
