"""Times of the experiments that have run on this machine, kept in the user's cache for later estimates."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from chaosbench.files import cache_folder, write_whole
from chaosbench.monitor.costs import Observation, Work

_KEPT = 1_000  # observations, the latest ones; up to twice as many lie in the file


def known(*, device: str, host: str) -> list[Observation]:
    """Return the times of experiments that ran on this kind of device of this machine, the oldest first."""
    found = []
    for line in _lines(_file()):
        with suppress(ValueError, TypeError, KeyError, AttributeError):  # of another version, or half a line
            row = json.loads(line)
            if (row["device"], row["host"]) == (_kind(device), host):
                update, rest = row["update"], float(row["rest"])
                found.append(Observation(Work(**row["work"]), None if update is None else float(update), rest))
    return found[-_KEPT:]


def remember(observations: Iterable[Observation], *, device: str, host: str) -> None:
    """Keep times for later; a cache that cannot be written costs nothing."""
    rows = [{"device": _kind(device), "host": host, **asdict(one)} for one in observations]
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    path = _file()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
        lines = _lines(path)
        if len(lines) > 2 * _KEPT:
            kept = "".join(f"{line}\n" for line in lines[-_KEPT:])
            write_whole(path, lambda temporary: temporary.write_text(kept, encoding="utf-8"))


def _file() -> Path:
    return cache_folder() / "times.jsonl"


def _kind(device: str) -> str:
    return "cpu" if device == "cpu" else "gpu"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
