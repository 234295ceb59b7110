"""One worker process per experiment: what breaks in one stops no other."""

import multiprocessing
import os
import pickle
import signal
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from typing import Any

from chaosbench.execution.child import main as child_main
from chaosbench.experiment import Experiment, Result, Run, Status
from chaosbench.run import Progress

# What a child would import at its first optimizer (2 s) and its first forward-mode tangents (0.3 s), and itself.
_PRELOADED = ["torch._dynamo", "torch._decomp.decompositions_for_jvp", "chaosbench.execution.child"]


@dataclass(frozen=True)
class Started:
    """An experiment has been given to a worker."""

    experiment: Experiment


@dataclass(frozen=True)
class Advanced:
    """An experiment has entered another phase, or has trained on."""

    experiment: Experiment
    progress: Progress


@dataclass(frozen=True)
class Finished:
    """An experiment has ended, well or not: the status of each run says which."""

    experiment: Experiment
    result: Result


Event = Started | Advanced | Finished


@dataclass
class _Worker:
    experiment: Experiment
    process: BaseProcess
    pipe: Connection
    log: Path
    started: datetime


def carry_out(
    experiments: Sequence[Experiment], *, device: str, workers: int, logs: Path
) -> Generator[Event, None, None]:
    """Run experiments in at most `workers` processes at once; events as they come.

    Each child is forked from a server that has torch loaded and nothing else running, in a session of its own, on one
    thread. A child that dies, however it dies, ends as rows with status `crashed`; closing the generator ends all.

    Args:
        device: "cpu", or a CUDA device.
        logs: folder for what children print; empty logs are removed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    waiting, running = list(experiments), list[_Worker]()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                worker = _start(context, waiting.pop(0), device, logs)
                running.append(worker)
                yield Started(worker.experiment)
            # Ends too: what a dead child has forked may hold the pipe open.
            wait([end for worker in running for end in (worker.pipe, worker.process.sentinel)])
            for worker in list(running):
                yield from _events(worker, running)
    finally:
        _end([worker.process for worker in running])
        for worker in running:
            _sweep(worker.log)


def _start(
    context: multiprocessing.context.ForkServerContext, experiment: Experiment, device: str, logs: Path
) -> _Worker:
    receiver, sender = context.Pipe(duplex=False)
    log = logs / f"{experiment.digest()[:12]}.log"
    process = context.Process(target=child_main, args=(sender, pickle.dumps(experiment), device, log), daemon=False)
    process.start()
    sender.close()  # so that the child's end is the only one, and its death is seen as the end of the pipe
    return _Worker(experiment, process, receiver, log, datetime.now(UTC))


def _events(worker: _Worker, running: list[_Worker]) -> Iterator[Event]:
    """What the worker has said since last asked; takes it off `running` when it has ended."""
    while True:
        dead = not worker.process.is_alive()  # asked first, so that nothing said before death is missed
        kind, *content = _message(worker.pipe, dead)
        if kind == "advanced":
            yield Advanced(worker.experiment, *content)
            continue
        if kind == "result":
            yield from _finish(worker, running, content[0])
        elif kind == "failed":
            yield from _finish(worker, running, _lost(worker, "failed", content[0]))
        elif kind == "gone":
            worker.process.join(5)
            yield from _finish(worker, running, _lost(worker, "crashed", _death(worker.process.exitcode)))
        return


def _message(pipe: Connection, dead: bool) -> tuple[Any, ...]:
    """The next message; ("gone",) after the last of a child that has ended, ("silent",) where it may yet speak."""
    try:
        if pipe.poll():
            message: tuple[Any, ...] = pipe.recv()
            return message
    except (EOFError, OSError):  # a message cut short by death, too
        return ("gone",)
    return ("gone",) if dead else ("silent",)


def _finish(worker: _Worker, running: list[_Worker], result: Result) -> Iterator[Event]:
    running.remove(worker)
    worker.pipe.close()
    worker.process.join(5)
    _end([worker.process])
    _sweep(worker.log)
    yield Finished(worker.experiment, result)


def _lost(worker: _Worker, status: Status, message: str) -> Result:
    """Rows for an experiment that has no result: a failure is an outcome, too."""
    experiment, started = worker.experiment, worker.started
    seconds = (datetime.now(UTC) - started).total_seconds() / len(experiment.seeds)
    runs = tuple(
        Run.of(experiment, seed, status, message, total_seconds=seconds, started=started) for seed in experiment.seeds
    )
    return Result(experiment, runs, ())


def _death(exitcode: int | None) -> str:
    if exitcode is None:
        return "the worker closed its pipe without a result"
    if exitcode < 0:
        return f"the worker was ended by {signal.Signals(-exitcode).name}"
    return f"the worker ended with exit code {exitcode} and no result"


def _end(processes: Sequence[BaseProcess]) -> None:
    """Politely, then not, and with everything the children started, which may outlive them."""
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        deadline = monotonic() + patience
        for process in processes:
            _signal(process, number)
        for process in processes:
            process.join(max(0.0, deadline - monotonic()))


def _signal(process: BaseProcess, number: signal.Signals) -> None:
    assert process.pid is not None
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        if process.is_alive():
            process.kill()  # it has not opened its own session yet


def _sweep(log: Path) -> None:
    if log.is_file() and log.stat().st_size == 0:
        log.unlink()
