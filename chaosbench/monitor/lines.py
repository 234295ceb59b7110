"""Files of events: one JSON object a line, appended as it happens, and read while another process writes."""

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = ".events"  # inside a results directory, of what is running
HEARTBEAT = 10.0  # [s] between two signs of life of a campaign: the time at which its file was changed


def append(path: Path, event: str, **content: Any) -> None:
    """Append an event to a file, in one piece, after a line break where the last line lacks it."""
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **content})
    with suppress(OSError):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(handle).st_size
            broken = size > 0 and _last_byte(handle, size) != b"\n"
            os.write(handle, (b"\n" if broken else b"") + line.encode() + b"\n")
        finally:
            os.close(handle)


def lines(path: Path, start: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the events of a file from a position on, and the position after the last whole line.

    Lines that are no events, such as one that a killed process has cut, are left out.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            content = file.read()
    except OSError:
        return [], start
    whole = content.rpartition(b"\n")[0]
    events = [event for line in whole.splitlines() if (event := _parsed(line)) is not None]
    return events, start + len(whole) + (1 if whole or content.startswith(b"\n") else 0)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _last_byte(handle: int, size: int) -> bytes:
    os.lseek(handle, size - 1, os.SEEK_SET)
    return os.read(handle, 1)
