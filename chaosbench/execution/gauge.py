"""Memory and CPU time of a process and of everything that it has started."""

from contextlib import suppress
from time import monotonic

import psutil

_EVERY = 2.0  # [s] between two searches for new processes, which look at every process of the machine


class Gauge:
    """Measures a process with its descendants, and ends those that have left its group.

    Args:
        pid: of the process.

    Attributes:
        largest: the most memory that was measured [bytes].
    """

    def __init__(self, pid: int) -> None:
        self._members: list[psutil.Process] = []
        with suppress(psutil.Error):
            self._members = [psutil.Process(pid)]
        self._searched = monotonic()
        self._ended_cpu = 0.0  # [s] of CPU time of processes that have ended
        self._cpu: dict[int, float] = {}
        self.largest = 0

    def memory(self, limit: int | None) -> int:
        """Return the resident memory [bytes]; pages that processes share count once only where `limit` is exceeded."""
        self._search()
        total = sum(_resident(process) for process in self._members)
        if limit is not None and total > limit:
            total = sum(_own(process) for process in self._members)
        self.largest = max(self.largest, total)
        return total

    def cpu(self) -> float:
        """Return the CPU time that all of them have used so far [s]."""
        present = {process.pid: _cpu(process) for process in self._members}
        self._ended_cpu += sum(seconds for pid, seconds in self._cpu.items() if not present.get(pid))
        self._cpu = {pid: seconds for pid, seconds in present.items() if seconds}
        return self._ended_cpu + sum(self._cpu.values())

    def kill(self) -> None:
        """End every process that was seen and is still there; `psutil` notices where a number was given anew."""
        for process in self._members:
            with suppress(psutil.Error):
                process.kill()

    def _search(self) -> None:
        """Look for new descendants now and then; those whose parent has ended are kept."""
        if not self._members or monotonic() - self._searched < _EVERY:
            return
        self._searched = monotonic()
        with suppress(psutil.Error):
            known = {process.pid for process in self._members}
            self._members += [one for one in self._members[0].children(recursive=True) if one.pid not in known]
        self._members = [self._members[0], *(one for one in self._members[1:] if one.is_running())]


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _own(process: psutil.Process) -> int:
    """Return the memory of a process with its share of pages that others use as well; without it where not known."""
    try:
        details = process.memory_full_info()
    except psutil.Error:
        return _resident(process)
    return int(getattr(details, "pss", 0) or details.uss)


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
