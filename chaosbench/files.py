"""Files that are whole or absent: atomic writes, the cache folder and its keys."""

import hashlib
import inspect
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from chaosbench.spec import Content


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file so that a reader sees all of it or none, even after a power failure.

    Args:
        path: path of the file; its folder must exist.
        write: writes the content to the temporary path that it is given, in the same folder and with the same suffix.

    Raises:
        OSError: where the file cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        write(temporary)
        flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def flush(path: Path) -> None:
    """Flush a file, or the list of names of a folder, from the operating system's cache to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cache_folder() -> Path:
    """Return the folder of the cache: `CHAOSBENCH_CACHE` where it is set, else the user's cache folder."""
    if chosen := os.environ.get("CHAOSBENCH_CACHE"):
        return Path(chosen)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "chaosbench"


def cache_key(spec: Content, *parts: str) -> str:
    """Return the SHA-256 of a spec, of the source code of its class, and of further parts.

    An equation that was edited gets another key. A class that was typed into an interpreter has no source, so
    that its key depends on the spec alone.
    """
    try:
        source = inspect.getsource(type(spec))
    except (OSError, TypeError):
        source = ""
    return hashlib.sha256("\n".join([*parts, spec.canonical(), source]).encode()).hexdigest()
