"""Functions compiled by numba that Python calls, cached on disk by the content of all sources they are made of.

numba's own cache looks at the file of the called function alone, so that after an edit of any other file it would run
old code. Here the folder of the cache is named after the content of every source of the kernels.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, wraps
from pathlib import Path
from typing import Any

from filelock import FileLock, SoftFileLock
from numba import config, njit

from chaosbench.files import cache_folder

SOURCES = ("entry.py", "lanes.py", *sorted(one.name for one in Path(__file__).parent.glob("numba_*.py")))


def entry(function: Callable[..., None]) -> Callable[..., None]:
    """Compile `function(plan, room, work, ...)` at its first call for a kind of plan and the precision of `work`.

    One process compiles, which takes many seconds, and others that need the same function wait and load what it has
    cached. Each function has a lock of its own, so that several processes compile different functions side by side.
    """
    with _cached_in(kernel_folder()) as cached:
        compiled, ready = njit(cache=cached, error_model="numpy", nogil=True)(function), set[Any]()

    name = f"{function.__module__.rpartition('.')[2]}-{function.__name__}.lock"

    @wraps(function)
    def call(plan: Any, room: Any, work: Any, *others: Any) -> None:
        kinds = type(plan), work.dtype
        with nullcontext() if kinds in ready else _alone(kernel_folder(), name):
            compiled(plan, room, work, *others)
        ready.add(kinds)

    call.compiled = compiled
    return call


@cache
def kernel_folder() -> Path | None:
    """Return the folder of what is compiled, below the cache folder; None where it cannot be written."""
    here = Path(__file__).parent
    folder = cache_folder() / "kernels" / content_key(here / name for name in SOURCES)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "writable").touch()
    except OSError:
        return None
    return folder


def content_key(sources: Iterable[Path]) -> str:
    """Return the SHA-256 of files' contents, shortened to 16 digits."""
    contents = (hashlib.sha256(source.read_bytes()).digest() for source in sources)
    return hashlib.sha256(b"".join(contents)).hexdigest()[:16]


@contextmanager
def _cached_in(folder: Path | None) -> Iterator[bool]:
    """Let functions that are declared inside be cached in a folder; yield whether they can be."""
    before = config.CACHE_DIR
    config.CACHE_DIR = before if folder is None else str(folder)  # read where a function is declared
    try:
        yield folder is not None
    finally:
        config.CACHE_DIR = before


def _alone(folder: Path | None, name: str) -> AbstractContextManager[Any]:
    """Return the lock of a function; none where the system has no locks, as a stand-in outlives a killed process."""
    return nullcontext() if folder is None or FileLock is SoftFileLock else FileLock(folder / name)
