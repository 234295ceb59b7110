"""Worker processes, one per experiment or batch of experiments, so that a crash does not stop the others."""

import os
import pickle
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from typing import Any

from chaosbench.checkpoints import EVERY
from chaosbench.errors import one_line
from chaosbench.execution.child import Setting
from chaosbench.execution.child import main as child_main
from chaosbench.execution.gauge import Gauge
from chaosbench.execution.grouping import Group
from chaosbench.execution.happenings import Advanced, Event, Finished, Separated
from chaosbench.execution.keeper import Keeper
from chaosbench.execution.limits import Limits, sign_of_life
from chaosbench.execution.lost import cap, death, has_output, lost, remove_if_empty
from chaosbench.execution.memory import oom_kills
from chaosbench.execution.reuse import Idle
from chaosbench.experiment import Record, Status
from chaosbench.plugin_choice import Choice
from chaosbench.processes import context, start_server

GRACE = 5.0  # [s] between SIGTERM and SIGKILL
CLOSING = 1.5  # [s] the same, when the campaign ends
_TICK = 0.25  # [s] at most between two looks at the workers


@dataclass
class _Worker:
    group: Group
    process: BaseProcess
    pipe: Connection
    gauge: Gauge
    setting: Setting
    without_result: list[int]  # positions in the group
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=monotonic)
    alive: float = field(default_factory=monotonic)  # time of the last sign of life
    cpu: float = 0.0  # [s] of CPU time at the last sign of life
    updates: int = 0  # done by the training
    acting: str = ""  # the part of a plug-in that runs now; empty: none
    suspect: str = ""  # the part during which a worker was killed before, perhaps from outside
    records: list[list[Record]] = field(default_factory=list)  # of each experiment, until it has a result
    verdict: tuple[Status, str] | None = None  # why this process has ended the worker
    deadline: float = 0.0  # time of SIGKILL, once SIGTERM was sent


class Workers:
    """Runs groups of experiments in processes of this machine.

    Every worker runs in a session of its own, on one thread. Where the system can fork, it is forked from a server that
    has loaded torch and runs nothing else. One that dies or exceeds a limit leaves runs with a status that says so; one
    in which only chaosbench's own code has run may run another experiment.

    Args:
        places: the device of each worker that may run at a time.
        logs: folder for the output of the workers; empty logs are removed.
        checkpoints: folder for the state of trainings.
        every: time between two checkpoints of a training [s].
        plugins: those that the workers load.
        limits: of each experiment.
    """

    def __init__(
        self,
        places: Sequence[str],
        *,
        logs: Path,
        checkpoints: Path,
        every: float = EVERY,
        plugins: Choice,
        limits: Limits,
    ) -> None:
        self._free, self._logs, self._saving = list(places), logs, (checkpoints, every, plugins)
        self._limits, self._running = limits.shared(len(places)), list[_Worker]()
        self._processes, self._keeper = context(), Keeper()
        self._idle = Idle(self._keeper.forget)
        self._oom_kills, self._inspected = oom_kills(), 0.0

    @property
    def free(self) -> int:
        """Number of groups that can start now."""
        return len(self._free)

    @property
    def busy(self) -> bool:
        """True while anything runs."""
        return bool(self._running)

    @property
    def running(self) -> int:
        """Number of experiments that run and have no result yet."""
        return sum(len(worker.without_result) for worker in self._running)

    def start(self, group: Group) -> None:
        """Start a group of experiments in a worker."""
        log = self._logs / f"{group[0].digest()[:12]}.log"
        self._launch(group, Setting(self._free.pop(0), log, *self._saving, self._limits.memory))

    def _launch(self, group: Group, setting: Setting) -> _Worker:
        order = pickle.dumps(group), setting
        process, pipe = (None if setting.again else self._idle.take(order)) or self._forked(order)
        assert process.pid is not None
        records = [list[Record]() for _ in group]
        gauge, positions = Gauge(process.pid), list(range(len(group)))
        worker = _Worker(group, process, pipe, gauge, setting, positions, records=records)
        self._running.append(worker)
        return worker

    def _forked(self, order: tuple[Any, ...]) -> tuple[BaseProcess, Connection]:
        """Return a new process and its pipe; where the server of processes has died, from a new one."""
        pipe, other = self._processes.Pipe()
        for again in (True, False):
            process: BaseProcess = self._processes.Process(target=child_main, args=(other, *order))  # type: ignore[attr-defined]  # missing in typeshed
            try:
                start_server()
                process.start()
            except (EOFError, OSError):
                if not again:
                    raise
            else:
                break
        assert process.pid is not None
        self._keeper.watch(process.pid)
        other.close()  # the child's end is then the only one, and the pipe ends when the child dies
        return process, pipe

    def events(self) -> Iterator[Event]:
        """Wait for a moment, and yield what has happened since the last call."""
        # Wait for the sentinels as well: a process that a dead child has forked may hold the pipe open.
        wait([end for worker in self._running for end in (worker.pipe, worker.process.sentinel)], _TICK)
        for worker in list(self._running):
            yield from self._of(worker)
        if monotonic() - self._inspected > _TICK:
            self._inspected = monotonic()
            for worker in self._running:
                self._inspect(worker)
            self._oom_kills = oom_kills()

    def close(self) -> None:
        """End all workers and everything that they have started, after a moment for a checkpoint."""
        for worker in self._running:
            _signal(worker.process, kill=False)
        deadline = monotonic() + CLOSING
        for worker in self._running:
            worker.process.join(max(0.0, deadline - monotonic()))
            _kill(worker)
        for worker in self._running:
            worker.process.join(GRACE)
            remove_if_empty(worker.setting.log)
        self._running.clear()
        self._idle.close(patience=GRACE)
        self._keeper.close()

    def _of(self, worker: _Worker) -> Iterator[Event]:
        """Yield an event for each new message of a worker; forget the worker when it has ended."""
        while True:
            dead = not worker.process.is_alive()  # before reading, so that the last message is not missed
            kind, *content = _message(worker.pipe, dead)
            if kind not in ("gone", "silent"):
                worker.alive = monotonic()
            if kind == "advanced":
                index, progress = content
                worker.updates = progress.update if progress.phase == "training" else worker.updates
                yield Advanced(worker.group[index], progress)
                continue
            if kind == "acting":
                worker.acting = content[0]
                continue
            if kind == "recorded":
                index, record = content
                worker.records[index].append(record)
                continue
            if kind == "result":
                index, result = content
                worker.without_result.remove(index)
                yield Finished(worker.group[index], result)
                continue
            if kind == "ended":
                yield from self._end(worker, *content)
            elif kind == "gone":
                worker.process.join(GRACE)
                out_of_memory = oom_kills() > self._oom_kills
                code, largest = worker.process.exitcode, worker.gauge.largest
                yield from self._end(worker, *death(code, out_of_memory=out_of_memory, largest=largest))
            return

    def _inspect(self, worker: _Worker) -> None:
        """End a worker that has exceeded a limit: by SIGTERM, and by SIGKILL if it is still there after `GRACE`."""
        cap(worker.setting.log)
        now = monotonic()
        if worker.verdict is not None:
            if now > worker.deadline:
                _kill(worker)
            return
        cpu = worker.gauge.cpu()
        if sign_of_life(cpu - worker.cpu, now - worker.alive):
            worker.alive, worker.cpu = now, cpu
        overtime = self._limits.overtime(now - worker.began, len(worker.group))
        excess = self._limits.excess(worker.gauge.memory(self._limits.memory))
        why = overtime or excess or self._limits.silence(now - worker.alive)
        if why:
            worker.acting = "" if overtime else worker.acting  # no time is left to run again without it
            worker.verdict, worker.deadline = ("oom" if why == excess else "timeout", why), now + GRACE
            _signal(worker.process, kill=False)

    def _end(self, worker: _Worker, status: Status, reason: str, again: bool = False) -> Iterator[Event]:
        """Forget a worker, and yield what becomes of the experiments without a result.

        A process that may run others, and has not exceeded a limit, is kept; nothing of its experiments is left to do.
        """
        self._running.remove(worker)
        if again and worker.verdict is None and not worker.without_result:
            self._idle.add(worker.process, worker.pipe)
            self._free.append(worker.setting.device)
            remove_if_empty(worker.setting.log)
            return
        worker.pipe.close()
        worker.process.join(GRACE)
        _kill(worker)
        assert worker.process.pid is not None
        self._keeper.forget(worker.process.pid)
        status, reason = (status, reason) if worker.verdict is None else worker.verdict
        remaining = tuple(worker.group[index] for index in worker.without_result)
        if worker.acting and len(worker.group) == len(remaining) == 1:
            self._launch_again(worker, reason)
            return
        self._free.append(worker.setting.device)
        if len(worker.group) > 1 and remaining:
            yield Separated(remaining, reason)
        elif remaining:
            records, updates = worker.records[0], worker.updates
            message = f"{reason} (see {worker.setting.log})" if has_output(worker.setting.log) else reason
            yield Finished(
                remaining[0],
                lost(remaining[0], status, message, started=worker.started, records=records, updates=updates),
            )
        remove_if_empty(worker.setting.log)

    def _launch_again(self, dead: _Worker, reason: str) -> None:
        """Run an experiment again without the part of a plug-in that has ended its worker, on the remaining time.

        The training goes on from its last checkpoint, which a finished training has at its end. SIGKILL may have come
        from outside, so that it must come twice.
        """
        setting = replace(dead.setting, again=True)
        if dead.process.exitcode != -signal.SIGKILL or dead.verdict or dead.suspect == dead.acting:
            did = f"has ended its process, and is left out ({reason})"
            setting = replace(setting, deadly={**setting.deadly, dead.acting: did})
        worker = self._launch(dead.group, setting)
        worker.began, worker.started, worker.suspect = dead.began, dead.started, dead.acting


def _message(pipe: Connection, dead: bool) -> tuple[Any, ...]:
    """Return the next message, ("gone",) after the last one of a dead child, or ("silent",) if there is none yet."""
    try:
        if pipe.poll():
            message: tuple[Any, ...] = pipe.recv()
            return message
    except (EOFError, OSError):  # also when the child died while sending
        return ("gone",)
    except Exception as error:  # a result whose class this process cannot import
        return ("ended", "failed", f"its message cannot be read: {one_line(error)}")
    return ("gone",) if dead else ("silent",)


def _signal(process: BaseProcess, *, kill: bool) -> None:
    """Send SIGTERM, or SIGKILL, to a worker and its group; a system without groups (Windows) ends it at once."""
    assert process.pid is not None
    if not hasattr(os, "killpg"):
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        if process.is_alive():
            process.kill()  # it has not started its own session yet


def _kill(worker: _Worker) -> None:
    """End a worker, its group, and whatever has left the group."""
    _signal(worker.process, kill=True)
    worker.gauge.kill()
