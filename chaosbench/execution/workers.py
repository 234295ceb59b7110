"""Worker processes, one per experiment or batch of experiments, so that a crash does not stop the others."""

import os
import pickle
import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from typing import Any

from chaosbench.checkpoints import EVERY, FOLDER
from chaosbench.execution.child import main as child_main
from chaosbench.execution.grouping import Group, alone
from chaosbench.experiment import Experiment, Result, Run, Status
from chaosbench.plugin_choice import Choice
from chaosbench.processes import context
from chaosbench.run import Progress


@dataclass(frozen=True)
class Started:
    """A worker has started an experiment.

    Attributes:
        lead: the first experiment of its batch, whose progress during training is that of all; None for an experiment
            that trains alone, and for the first one itself.
    """

    experiment: Experiment
    lead: Experiment | None = None


@dataclass(frozen=True)
class Advanced:
    """An experiment has entered another phase or has trained further."""

    experiment: Experiment
    progress: Progress


@dataclass(frozen=True)
class Finished:
    """An experiment has ended; the status of each run says whether it has a result."""

    experiment: Experiment
    result: Result


@dataclass(frozen=True)
class Separated:
    """Experiments of a batch have ended without a result; each of them will run alone.

    Attributes:
        reason: why the batch failed; empty if only these experiments did, after training.
    """

    experiments: tuple[Experiment, ...]
    reason: str


Event = Started | Advanced | Finished | Separated


@dataclass
class _Worker:
    group: Group
    process: BaseProcess
    pipe: Connection
    log: Path
    started: datetime
    without_result: list[int]  # positions in the group


def carry_out(
    groups: Sequence[Group],
    *,
    device: str,
    workers: int,
    logs: Path,
    checkpoints: Path | None = None,
    every: float = EVERY,
    plugins: Choice | None = None,
) -> Generator[Event, None, None]:
    """Run experiments in at most `workers` processes at once, and yield events as they occur.

    The experiments of a group are trained as one batch; those that get no result are run again, each alone.

    Every child runs in a session of its own, on one thread. Where the system can fork, children are forked from a
    server that has loaded torch and runs nothing else. A child that dies leaves runs with status `crashed`. Closing the
    generator ends all children.

    Args:
        groups: the experiments to run, each alone (`alone`) or with others (`grouped`).
        device: "cpu", or a CUDA device.
        workers: the largest number of processes at a time.
        logs: folder for the output of the children; empty logs are removed.
        checkpoints: folder for the state of trainings; None: beside the logs.
        every: time between two checkpoints of a training [s].
        plugins: those that the workers load; None: as the environment says.
    """
    processes = context()
    waiting, running = list(groups), list[_Worker]()
    saving = (logs.parent / FOLDER if checkpoints is None else checkpoints, every, plugins or Choice.from_environment())
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                worker = _start(processes, waiting.pop(0), device, logs, saving)
                running.append(worker)
                yield from (Started(one, worker.group[0] if place else None) for place, one in enumerate(worker.group))
            # Wait for the sentinels as well: a process that a dead child has forked may hold the pipe open.
            wait([end for worker in running for end in (worker.pipe, worker.process.sentinel)])
            for worker in list(running):
                for event in _events(worker, running):
                    yield event
                    if isinstance(event, Separated):
                        waiting += alone(event.experiments)
    finally:
        _end([worker.process for worker in running])
        for worker in running:
            _remove_if_empty(worker.log)


_Saving = tuple[Path, float, Choice]  # folder of checkpoints, seconds between two of them, and the plug-ins


def _start(processes: BaseContext, group: Group, device: str, logs: Path, saving: _Saving) -> _Worker:
    receiver, sender = processes.Pipe(duplex=False)
    log = logs / f"{group[0].digest()[:12]}.log"
    arguments = (sender, pickle.dumps(group), device, log, *saving)
    process: BaseProcess = processes.Process(target=child_main, args=arguments)  # type: ignore[attr-defined]  # missing in typeshed
    process.start()
    sender.close()  # the child's end is then the only one, and the pipe ends when the child dies
    return _Worker(group, process, receiver, log, datetime.now(UTC), list(range(len(group))))


def _events(worker: _Worker, running: list[_Worker]) -> Iterator[Event]:
    """Yield an event for each new message of a worker; remove the worker from `running` when it has ended."""
    while True:
        dead = not worker.process.is_alive()  # before reading, so that the last message of a dead child is not missed
        kind, *content = _message(worker.pipe, dead)
        if kind == "advanced":
            index, progress = content
            yield Advanced(worker.group[index], progress)
            continue
        if kind == "result":
            index, result = content
            worker.without_result.remove(index)
            yield Finished(worker.group[index], result)
            continue
        if kind == "ended":
            yield from _end_of(worker, running, "failed", content[0])
        elif kind == "gone":
            worker.process.join(5)
            yield from _end_of(worker, running, "crashed", _death(worker.process.exitcode))
        return


def _message(pipe: Connection, dead: bool) -> tuple[Any, ...]:
    """Return the next message, ("gone",) after the last one of a dead child, or ("silent",) if there is none yet."""
    try:
        if pipe.poll():
            message: tuple[Any, ...] = pipe.recv()
            return message
    except (EOFError, OSError):  # also when the child died while sending
        return ("gone",)
    return ("gone",) if dead else ("silent",)


def _end_of(worker: _Worker, running: list[_Worker], status: Status, reason: str) -> Iterator[Event]:
    """Remove a worker, and yield what becomes of the experiments without a result."""
    running.remove(worker)
    worker.pipe.close()
    worker.process.join(5)
    _end([worker.process])
    _remove_if_empty(worker.log)
    lost = tuple(worker.group[index] for index in worker.without_result)
    if len(worker.group) > 1 and lost:
        yield Separated(lost, reason)
    elif lost:
        yield Finished(lost[0], _lost(lost[0], worker.started, status, reason))


def _lost(experiment: Experiment, started: datetime, status: Status, message: str) -> Result:
    """Return the runs of an experiment that ended without a result."""
    ended = datetime.now(UTC)
    times = {
        "started": started,
        "ended": ended,
        "total_seconds": (ended - started).total_seconds() / len(experiment.seeds),
    }
    runs = tuple(Run.of(experiment, seed, status, message, **times) for seed in experiment.seeds)
    return Result(experiment, runs, ())


def _death(exitcode: int | None) -> str:
    if exitcode is None:
        return "the worker closed its pipe without a result"
    if exitcode < 0 and -exitcode in set(signal.Signals):
        return f"the worker was ended by {signal.Signals(-exitcode).name}"
    return f"the worker ended with exit code {exitcode} and no result"


def _end(processes: Sequence[BaseProcess]) -> None:
    """End processes and everything they have started: first by SIGTERM, and after 5 s by SIGKILL.

    A system without process groups (Windows) ends the processes alone, at once.
    """
    for kill in (False, True):
        deadline = monotonic() + 5.0
        for process in processes:
            _signal(process, kill=kill)
        for process in processes:
            process.join(max(0.0, deadline - monotonic()))


def _signal(process: BaseProcess, *, kill: bool) -> None:
    assert process.pid is not None
    if not hasattr(os, "killpg"):
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        if process.is_alive():
            process.kill()  # it has not started its own session yet


def _remove_if_empty(log: Path) -> None:
    with suppress(PermissionError):  # Windows keeps a file that a process which is ending still holds open
        if log.is_file() and log.stat().st_size == 0:
            log.unlink()
