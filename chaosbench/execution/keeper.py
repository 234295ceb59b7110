"""A process that ends all workers when their campaign is killed, even those that hang inside compiled code.

It is run by its path, so that it imports nothing of chaosbench, and reads from standard input: `+PID` when a worker
starts and `-PID` when it has ended. The input ends when the campaign does, however it ends.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import IO

import psutil


class Keeper:
    """Starts the process, and tells it which workers there are."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", __file__]  # -P: modules beside this one must not hide those of Python
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True
        )

    def watch(self, pid: int) -> None:
        """Add a worker."""
        self._say(f"+{pid}")

    def forget(self, pid: int) -> None:
        """Remove a worker that has ended."""
        self._say(f"-{pid}")

    def close(self) -> None:
        """End the process; workers that it still knows are ended, too."""
        with suppress(OSError):
            self._process.communicate()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # it was killed; threads in the workers remain, which do the same
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()


def keep(lines: IO[bytes]) -> None:
    """Read until the end, and then end every worker that has not ended, with all that it has started."""
    workers = set[int]()
    for line in lines:
        pid = int(line[1:])
        if line.startswith(b"+"):
            workers.add(pid)
        else:
            workers.discard(pid)
    for pid in workers:
        _end(pid)


def _end(pid: int) -> None:
    descendants: list[psutil.Process] = []
    with suppress(psutil.Error):
        descendants = psutil.Process(pid).children(recursive=True)  # also those in groups of their own
    with suppress(OSError, AttributeError):  # Windows has no groups
        os.killpg(pid, signal.SIGKILL)
    for process in descendants:
        with suppress(psutil.Error):
            process.kill()
    with suppress(psutil.Error):
        psutil.Process(pid).kill()  # before it has started its session


if __name__ == "__main__":
    keep(sys.stdin.buffer)
