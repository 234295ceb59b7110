"""Cache of orbits on disk: keyed by content, verified when read, computed once even if several processes need it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from chaosbench.files import cache_folder, sealed, unsealed, write_whole

try:
    import fcntl
except ImportError:  # not a POSIX system: several processes may do the same work
    fcntl = None  # type: ignore[assignment]

Tensors = dict[str, Tensor]


def cached(key: str, make: Callable[[], Tensors]) -> Tensors:
    """Return the cached tensors of `key`; if there is no intact entry, call `make` and store its result.

    A cache folder that cannot be written costs time only.
    """
    path = cache_folder() / "orbits" / f"{key}.safetensors"
    entry = _read(path)
    if entry is not None:
        return entry
    with _locked(path.with_suffix(".lock")):
        entry = _read(path)  # another process may have written it meanwhile
        if entry is not None:
            return entry
        tensors = make()
        with contextlib.suppress(OSError):
            write_whole(path, lambda temporary: temporary.write_bytes(_content(tensors)))
    return tensors


def _read(path: Path) -> Tensors | None:
    """Return the entry; None if it is absent or damaged."""
    try:
        payload = unsealed(path.read_bytes())
        return None if payload is None else load(payload)
    except (OSError, SafetensorError):
        return None


def _content(tensors: Tensors) -> bytes:
    return sealed(save({name: tensor.contiguous() for name, tensor in tensors.items()}))


@contextlib.contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Hold a lock file exclusively; the operating system releases it when the process dies."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError:
        yield
        return
    with file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
        with contextlib.suppress(PermissionError):  # Windows keeps a file that is open
            lock.unlink(missing_ok=True)
