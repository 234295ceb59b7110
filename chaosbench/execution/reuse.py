"""Processes that run one experiment after another, where nothing but chaosbench's own code has run in them.

A process of its own costs an experiment a quarter of a second of CPU time, for compiled kernels that it loads anew.
"""

import gc
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

from chaosbench.experiment import Experiment
from chaosbench.spec import Content

MOST = 50  # experiments of a process
_KEPT = 256 << 20  # memory that earlier experiments may leave [bytes], and at most a sixteenth of the limit


class Condition:
    """Decides in a worker whether it may run another experiment.

    Args:
        device: of the worker; a context of a GPU ends with its process.
        limit: of its memory [bytes]; None: no limit.
    """

    def __init__(self, device: str, limit: int | None) -> None:
        self._possible = device == "cpu" and hasattr(os, "setsid")
        self._start, self._done = _resident(), 0
        self._kept = _KEPT if limit is None else min(_KEPT, limit // 16)

    def allows(self, experiments: Iterable[Experiment], *, listeners: bool) -> bool:
        """Return True if these experiments leave the process as they found it, but for caches and a little memory.

        Args:
            experiments: what has run.
            listeners: True if a plug-in has been told of it.
        """
        self._done += 1
        if not self._possible or listeners or self._done >= MOST:
            return False
        if not all(_own_code(experiment) for experiment in experiments):
            return False
        gc.collect()
        return _resident() - self._start < self._kept


class Idle:
    """Processes that wait for an experiment.

    Args:
        forget: is called with the number of each process that is left alone, since it has ended or is to be ended.
    """

    def __init__(self, forget: Callable[[int], object]) -> None:
        self._waiting, self._forget = list[tuple[BaseProcess, Connection]](), forget

    def add(self, process: BaseProcess, pipe: Connection) -> None:
        """Keep a process that waits at the other end of a pipe."""
        self._waiting.append((process, pipe))

    def take(self, order: tuple[Any, ...]) -> tuple[BaseProcess, Connection] | None:
        """Send an order to a process, and return it with its pipe; None if none is left alive."""
        while self._waiting:
            process, pipe = self._waiting[-1]
            with suppress(OSError):  # it has just died
                if process.is_alive():
                    pipe.send(order)
                    return self._waiting.pop()
            self._drop()
        return None

    def close(self, *, patience: float) -> None:
        """End all of them.

        Args:
            patience: time until a process that has been killed must have ended [s].
        """
        while self._waiting:
            process, _ = self._waiting[-1]
            process.kill()
            process.join(patience)
            self._drop()

    def _drop(self) -> None:
        process, pipe = self._waiting.pop()
        pipe.close()
        assert process.pid is not None
        self._forget(process.pid)


def forget_peak_memory() -> None:
    """Count the peak memory of this process from now on, without that of earlier experiments; Linux alone can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _own_code(value: object) -> bool:
    """Return True if all records within a value are of classes of chaosbench itself."""
    if isinstance(value, Content):
        own = type(value).__module__.partition(".")[0] == "chaosbench"
        return own and all(_own_code(getattr(value, name)) for name in type(value).model_fields)
    if isinstance(value, dict):
        return all(map(_own_code, value.values()))
    return all(map(_own_code, value)) if isinstance(value, tuple | list) else True


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)
