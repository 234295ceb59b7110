"""Experiments that end without a result: what is stored of them, and how a process has died."""

import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from os import SEEK_END
from pathlib import Path

from chaosbench.execution.limits import LOG
from chaosbench.experiment import Experiment, Record, Result, Run, Status
from chaosbench.formats import size

_CUT = b"\n[... output left out here ...]\n"


def lost(
    experiment: Experiment,
    status: Status,
    message: str,
    *,
    started: datetime,
    records: Sequence[Record] = (),
    updates: int = 0,
) -> Result:
    """Return the runs of an experiment that ended without a result, with what was recorded until then."""
    ended = datetime.now(UTC)
    seconds = (ended - started).total_seconds() / len(experiment.seeds)
    times = {"started": started, "ended": ended, "total_seconds": seconds}
    runs = tuple(Run.of(experiment, seed, status, message, updates=updates, **times) for seed in experiment.seeds)
    return Result(experiment, runs, tuple(records))


def death(exitcode: int | None, *, out_of_memory: bool, largest: int) -> tuple[Status, str]:
    """Return the status of an experiment whose process has died by itself, and how it died.

    Args:
        exitcode: of the process; negative: the number of the signal that ended it.
        out_of_memory: True if the system has ended a process meanwhile because memory ran out.
        largest: the most memory that the worker was seen to use [bytes].
    """
    if exitcode is None:
        return "crashed", "the worker closed its pipe without a result"
    number = -exitcode if exitcode < 0 else exitcode - 128  # as shells report it, and `os._exit` in handlers
    if number not in set(signal.Signals):
        return "crashed", f"the worker ended with exit code {exitcode} and no result"
    name = signal.Signals(number).name
    if name != "SIGKILL":
        return "crashed", f"the worker was ended by {name}"
    used = f"it used up to {size(largest)} of memory" if largest else "its memory was not measured"
    if out_of_memory:
        return "oom", f"the system ended the worker by SIGKILL because memory ran out; {used}"
    return "crashed", f"the worker was ended by SIGKILL, from outside or because memory ran out; {used}"


def cap(log: Path) -> None:
    """Cut a log that has grown too long to its beginning and its end; the worker goes on writing behind them."""
    try:
        if log.stat().st_size <= LOG:
            return
        with log.open("a+b") as file:  # what the worker writes meanwhile stands before or behind
            file.seek(0)
            head = file.read(LOG // 4)
            file.seek(-LOG // 4, SEEK_END)
            tail = file.read(LOG // 4)  # no more, or a fast writer is followed for ever
            file.truncate(0)
            file.write(head.partition(_CUT)[0] + _CUT + tail)
    except OSError:
        return  # it is gone, or the disk is full


def has_output(log: Path) -> bool:
    """Return True if there is a log that is not empty."""
    return log.is_file() and log.stat().st_size > 0


def remove_if_empty(log: Path) -> None:
    """Remove a log in which there is nothing."""
    with suppress(PermissionError):  # Windows keeps a file that a process which is ending still holds open
        if log.is_file() and not has_output(log):
            log.unlink()
