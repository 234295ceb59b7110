"""Leases: which process runs which experiment of a results directory, so that no two run the same one at once.

A lease is a file with the process that holds it, which renews the file's time of modification while it lives. A holder
on this machine is looked up among its processes. One elsewhere counts as dead when the time of its file stands still,
by the clock of whoever looks, so that clocks that differ or are set do not matter.
"""

import json
import os
import platform
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

import psutil

FOLDER = ".leases"  # inside a results directory
BEAT = 10.0  # [s] between two renewals
LAPSE = 60.0  # [s] without one, after which a holder on another machine counts as dead
_ATTEMPTS = 100  # to write a lease while others remove the folder


@dataclass(frozen=True)
class Holder:
    """The process that holds a lease; the host is empty where its file cannot be read.

    Attributes:
        host: name of its machine.
        pid: its number there.
    """

    host: str
    pid: int


class Leases:
    """The leases that this process holds in a results directory; a context manager, which gives them back.

    Args:
        results: the results directory.
        beat: time between two renewals [s].
        lapse: see `LAPSE` [s].
    """

    def __init__(self, results: Path, *, beat: float = BEAT, lapse: float = LAPSE) -> None:
        self._folder, self._beat, self._lapse = results / FOLDER, beat, lapse
        self._held: dict[str, Path] = {}
        self._seen: dict[Path, tuple[int, float]] = {}  # time of modification of others' files, and when it was new
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._renew, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for name in list(self._held):
            self.give_back(name)
        with suppress(OSError):  # others have leases
            self._folder.rmdir()

    def take(self, name: str) -> Holder | None:
        """Take a lease; return who holds it, if somebody does, or None if it is ours now.

        Of two that take it at the same time, at least one sees the file of the other, because each writes its own
        before it looks. Both may withdraw, and should try again a little later.
        """
        if name in self._held:
            return None
        rivals = list(self._alive(name))
        if not rivals:
            own = self._folder / f"{name}.{uuid.uuid4().hex[:12]}"
            self._write(own)
            self._held[name] = own
            rivals = list(self._alive(name))
            if rivals:
                self.give_back(name)
        return rivals[0] if rivals else None

    def _write(self, own: Path) -> None:
        """Write a lease, again if another process that ends has just removed the empty folder."""
        for attempt in range(_ATTEMPTS):
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                own.write_text(json.dumps(_this_process()), encoding="utf-8")
                return
            except (FileNotFoundError, FileExistsError):  # removed before the file, or between two looks of mkdir
                if attempt == _ATTEMPTS - 1:
                    raise

    def give_back(self, name: str) -> None:
        """Give a lease back, if it is held."""
        own = self._held.pop(name, None)
        if own is not None:
            own.unlink(missing_ok=True)

    def _alive(self, name: str) -> Iterator[Holder]:
        """Yield the other holders of a lease; those that are dead lose it."""
        paths = list[Path]()
        with suppress(FileNotFoundError):  # the folder has just been removed
            paths = list(self._folder.glob(f"{name}.*"))
        for path in paths:
            if path == self._held.get(name):
                continue
            content = _content(path)
            if self._lives(path, content):
                yield Holder(str(content.get("host", "")), int(content.get("pid", 0)))
            elif name in self._held:
                path.unlink(missing_ok=True)

    def _lives(self, path: Path, content: dict[str, Any]) -> bool:
        if content.get("machine") == _machine():
            return bool(content.get("started") == _started(content.get("pid", 0)))
        try:
            renewed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        known = self._seen.get(path)
        if known is None or known[0] != renewed:
            self._seen[path] = known = renewed, monotonic()
        return monotonic() - known[1] < self._lapse

    def _renew(self) -> None:
        while not self._ended.wait(self._beat):
            for path in list(self._held.values()):
                with suppress(OSError):  # given back meanwhile, or the file server does not answer
                    os.utime(path)


def _content(path: Path) -> dict[str, Any]:
    """Return the content of a lease; an empty one where it cannot be read, or is not written yet."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _this_process() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": platform.node(), "machine": _machine(), "pid": pid, "started": _started(pid)}


def _machine() -> str:
    """Return a text that is equal for two processes if each can look up the other by its number."""
    parts = [platform.node()]
    with suppress(OSError):
        parts += [
            Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            str(Path("/proc/self/ns/pid").readlink()),
        ]
    return " ".join(parts)


def _started(pid: int) -> float | None:
    """Return when a process started, in a unit of its system; None if there is no such process.

    On Linux in ticks since the machine started, which a change of the clock leaves as they are.
    """
    try:
        if Path("/proc/self/stat").exists():
            state, *numbers = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            return None if state in b"ZX" else float(numbers[18])
        return float(psutil.Process(pid).create_time())
    except (OSError, psutil.Error):
        return None
