"""Files that are whole or absent: atomic writes, the cache folder and its keys."""

import glob
import hashlib
import inspect
import os
import shlex
import stat
import tempfile
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from chaosbench.errors import StoreError

if TYPE_CHECKING:
    from chaosbench.spec import Content

_LARGEST_TEXT = 2**26  # [bytes] of a text that is read as a whole
_CHECKSUM = hashlib.sha256().digest_size  # [bytes] before the payload of a sealed file


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file so that a reader sees all of it or none, even after a power failure.

    Args:
        path: path of the file; its folder must exist.
        write: writes the content to the temporary path that it is given, in the same folder and with the same suffix.

    Raises:
        OSError: where the file cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        write(temporary)
        flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def without_folders(command: str) -> str:
    """Return a command line in which the last part of each absolute path is left, as in `--results core`."""
    try:
        return shlex.join(map(_last_part, shlex.split(command)))
    except ValueError:  # quotation marks that do not close
        return command


def _last_part(word: str) -> str:
    option, sign, value = word.partition("=") if word.startswith("-") else ("", "", word)
    return f"{option}{sign}{Path(value).name}" if Path(value).is_absolute() else word


def read_bounded(path: Path, largest: int = _LARGEST_TEXT) -> str:
    """Read a text of somebody else.

    Args:
        path: of a regular file.
        largest: number of bytes beyond which it is refused.

    Raises:
        StoreError: where it is too large or no text.
        OSError: where it cannot be read.
    """
    if path.exists() and not path.is_file():  # a pipe would be read for ever
        raise StoreError(f"{str(path)!r} is no regular file")
    if path.stat().st_size > largest:
        raise StoreError(f"{str(path)!r} is larger than {largest:,} bytes")
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise StoreError(f"{str(path)!r} is no text in UTF-8") from error


def remove_unfinished(path: Path) -> None:
    """Remove what processes left that were killed while `write_whole` wrote this file; no other may write it now."""
    for temporary in path.parent.glob(f".{glob.escape(path.stem)}.*{path.suffix}"):
        temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Flush a file, or the list of names of a folder, from the operating system's cache to the disk.

    Windows writes the names of a folder by itself, and cannot open one.
    """
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)  # Windows flushes only what it may write
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sealed(payload: bytes) -> bytes:
    """Return the content of a file that `unsealed` can check: the SHA-256 of the payload, and the payload."""
    return hashlib.sha256(payload).digest() + payload


def unsealed(content: bytes) -> bytes | None:
    """Return the payload of a file; None if its content is damaged."""
    payload = content[_CHECKSUM:]
    return payload if hashlib.sha256(payload).digest() == content[:_CHECKSUM] else None


def cache_folder() -> Path:
    """Return the folder of the cache: `CHAOSBENCH_CACHE` where it is set, else the user's cache folder.

    A user without a home folder, as in some containers, has it among the temporary files.
    """
    if chosen := os.environ.get("CHAOSBENCH_CACHE"):
        return Path(chosen)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "chaosbench"
    try:
        return Path.home() / ".cache" / "chaosbench"
    except RuntimeError:  # neither HOME nor an entry in the list of users
        return _temporary_cache()


@cache
def _temporary_cache() -> Path:
    """Return a folder that only this user can write, since compiled code is loaded from it; the same each time.

    Where somebody else has made that folder, it is a new one.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"chaosbench-{user}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o022
    return folder if own else Path(tempfile.mkdtemp(prefix="chaosbench-"))


def cache_key(spec: "Content", *parts: str) -> str:
    """Return the SHA-256 of a spec, of the source code of its class, and of further parts.

    An equation that was edited gets another key. Of a class that was typed into an interpreter or a notebook, whose
    source cannot be read, the compiled code counts, with that of the functions beside it that it calls.
    """
    try:
        source = inspect.getsource(type(spec))
    except (OSError, TypeError):
        source = _compiled(type(spec))
    return hashlib.sha256("\n".join([*parts, spec.canonical(), source]).encode()).hexdigest()


def _compiled(cls: type) -> str:
    """Return the compiled code of a class and of what it uses of its module, functions and numbers, as text."""
    waiting: list[object] = [inspect.unwrap(method) for method in vars(cls).values() if callable(method)]
    texts = [_values({name: value for name, value in vars(cls).items() if not name.startswith("__")})]
    seen = set[int]()
    while waiting:
        function = waiting.pop()
        if not inspect.isfunction(function) or id(function) in seen:
            continue
        seen.add(id(function))
        used = {name: function.__globals__.get(name) for name in function.__code__.co_names}
        texts += [_code_text(function.__code__), _values(used)]
        waiting += [other for other in used.values() if getattr(other, "__module__", None) == function.__module__]
    return "\n".join(texts)


def _values(names: dict[str, Any]) -> str:
    return repr(sorted((name, repr(one)) for name, one in names.items() if isinstance(one, int | float | str | tuple)))


def _code_text(code: CodeType) -> str:
    """Return names, constants and instructions of a code object, without its place in a file."""
    constants = [_code_text(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return repr((code.co_code, code.co_names, constants))
