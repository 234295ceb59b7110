"""One worker process per experiment: what breaks in one stops no other."""

import multiprocessing
import os
import signal
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

from chaosbench.execution.child import main as child_main
from chaosbench.experiment import Experiment, Result, Run, Status


@dataclass(frozen=True)
class Started:
    """An experiment has been given to a worker."""

    experiment: Experiment


@dataclass(frozen=True)
class Advanced:
    """An experiment has trained on."""

    experiment: Experiment
    update: int
    updates: int
    loss: float  # median over seeds


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
    context.set_forkserver_preload(["chaosbench.execution.child"])
    waiting, running = list(experiments), list[_Worker]()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                worker = _start(context, waiting.pop(0), device, logs)
                running.append(worker)
                yield Started(worker.experiment)
            wait([worker.pipe for worker in running], timeout=1.0)
            for worker in list(running):
                yield from _events(worker, running)
    finally:
        for worker in running:
            _end(worker.process)
            _sweep(worker.log)


def _start(
    context: multiprocessing.context.ForkServerContext, experiment: Experiment, device: str, logs: Path
) -> _Worker:
    receiver, sender = context.Pipe(duplex=False)
    log = logs / f"{experiment.digest()[:12]}.log"
    process = context.Process(target=child_main, args=(sender, experiment, device, log), daemon=False)
    process.start()
    sender.close()  # so that the child's end is the only one, and its death is seen as the end of the pipe
    return _Worker(experiment, process, receiver, log, datetime.now(UTC))


def _events(worker: _Worker, running: list[_Worker]) -> Iterator[Event]:
    """What the worker has said since last asked; takes it off `running` when it has ended."""
    try:
        while worker.pipe.poll():
            message = worker.pipe.recv()
            if message[0] == "advanced":
                yield Advanced(worker.experiment, *message[1:])
                continue
            result = message[1] if message[0] == "result" else _lost(worker, "failed", message[1])
            yield from _finish(worker, running, cast("Result", result))
            return
    except (EOFError, OSError):
        worker.process.join(5)
        yield from _finish(worker, running, _lost(worker, "crashed", _death(worker.process.exitcode)))


def _finish(worker: _Worker, running: list[_Worker], result: Result) -> Iterator[Event]:
    running.remove(worker)
    worker.pipe.close()
    worker.process.join(5)
    _end(worker.process)
    _sweep(worker.log)
    yield Finished(worker.experiment, result)


def _lost(worker: _Worker, status: Status, message: str) -> Result:
    """Rows for an experiment that has no result: a failure is an outcome, too."""
    asked = worker.experiment
    rows = tuple(
        Run(
            experiment=asked.digest(),
            suite=asked.suite,
            seed=seed,
            system=asked.system.label,
            data=asked.data.label,
            model=asked.model.label,
            trainer=asked.trainer.label,
            status=status,
            message=message,
            parameters=0,
            updates=0,
            train_seconds=0.0,
            total_seconds=(datetime.now(UTC) - worker.started).total_seconds() / len(asked.seeds),
            device="",
            started=worker.started,
        )
        for seed in asked.seeds
    )
    return Result(asked, rows, ())


def _death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"the worker was ended by {signal.Signals(-exitcode).name}"
    return f"the worker ended with exit code {exitcode} and no result"


def _end(process: BaseProcess) -> None:
    """Politely, then not, and with everything the child started."""
    if not process.is_alive() or process.pid is None:
        return
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            process.kill()  # it has not opened its own session yet
        process.join(patience)
        if not process.is_alive():
            return


def _sweep(log: Path) -> None:
    if log.is_file() and log.stat().st_size == 0:
        log.unlink()
