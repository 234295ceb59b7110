"""Orbits kept between runs: by content, checked when read, made once when several processes want the same."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from chaosbench.files import cache_folder, write_whole

try:
    import fcntl
except ImportError:  # not a POSIX system: several processes may do the same work, and nothing worse
    fcntl = None  # type: ignore[assignment]

Tensors = dict[str, Tensor]
_CHECKSUM = 32  # bytes of SHA-256 in front of the tensors


def cached(key: str, make: Callable[[], Tensors]) -> Tensors:
    """What `make` gives, from the cache where an undamaged entry of that key is there.

    A cache that cannot be written costs time, never results.
    """
    path = cache_folder() / "orbits" / f"{key}.safetensors"
    found = _read(path)
    if found is not None:
        return found
    with _alone(path.with_suffix(".lock")):
        found = _read(path)  # another process may have made it meanwhile
        if found is None:
            found = made = make()
            with contextlib.suppress(OSError):
                write_whole(path, lambda beside: beside.write_bytes(_content(made)))
    return found


def _read(path: Path) -> Tensors | None:
    """The entry; None where there is none or it is damaged."""
    try:
        content = path.read_bytes()
        payload = content[_CHECKSUM:]
        return load(payload) if hashlib.sha256(payload).digest() == content[:_CHECKSUM] else None
    except (OSError, SafetensorError):
        return None


def _content(tensors: Tensors) -> bytes:
    payload = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    return hashlib.sha256(payload).digest() + payload


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process holds the lock; the system lets go of it when its holder dies."""
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
        lock.unlink(missing_ok=True)
