"""Memory that this process may use, and how often the system has ended processes because there was none left."""

from collections.abc import Iterator
from pathlib import Path

import psutil

_GROUPS = Path("/proc/self/cgroup")  # the control groups of this process, on Linux
_MOUNT = Path("/sys/fs/cgroup")


def usable_memory() -> int:
    """Return the machine's memory, or that of this process's control group if it is less [bytes]."""
    limits = [int(psutil.virtual_memory().total)]
    for folder in control_groups():
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _text(folder / name).strip()
            if text.isdigit():
                limits.append(int(text))
    return min(limits)


def oom_kills() -> int:
    """Return how often the system has ended a process because memory ran out, as far as this one can see.

    The numbers of the machine and of the control group are added, because a container may see only one of them; a
    number that has grown says that it has happened again.
    """
    texts = [_text(Path("/proc/vmstat"))]
    texts += [_text(folder / name) for folder in control_groups() for name in ("memory.events", "memory.oom_control")]
    lines = (line.split() for text in texts for line in text.splitlines() if line.startswith("oom_kill "))
    return sum(int(words[1]) for words in lines)


def control_groups() -> Iterator[Path]:
    """Yield the folders of the control groups, of both versions, that bound the memory of this process."""
    for line in _text(_GROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        mount = _MOUNT / controllers
        for folder in (mount / path.lstrip("/"), mount):
            if folder.is_dir():
                yield folder
                break


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
