"""Exponents for parameters that nobody certified: measured on first use, and kept on disk."""

import contextlib
import hashlib
import inspect
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from chaosbench.systems.reference import Reference, measured_reference

if TYPE_CHECKING:
    from chaosbench.systems.base import SystemSpec

_METHOD = "1"  # to be raised when `measured_reference` gives other numbers


def cache_folder() -> Path:
    """Where results are kept between runs: `CHAOSBENCH_CACHE`, or else the user's cache folder."""
    if chosen := os.environ.get("CHAOSBENCH_CACHE"):
        return Path(chosen)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "chaosbench"


@lru_cache(maxsize=256)
def cached_reference(system: "SystemSpec") -> Reference:
    """The system's leading exponent, measured within seconds and the same at every call.

    Raises:
        DataError: where an orbit escapes.
    """
    path = cache_folder() / "exponents" / f"{_key(system)}.json"
    try:
        return Reference.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # not there, or damaged: it is made (again)
        reference = measured_reference(system, exponents=1)
    with contextlib.suppress(OSError):  # a folder that cannot be written costs time, not results
        _write(path, reference.model_dump_json(indent=1))
    return reference


def _key(system: "SystemSpec") -> str:
    """Of the spec and of the class's source: an equation that was edited is another system."""
    try:
        source = inspect.getsource(type(system))
    except (OSError, TypeError):  # a class that was typed in has none
        source = ""
    return hashlib.sha256("\n".join([_METHOD, system.canonical(), source]).encode()).hexdigest()


def _write(path: Path, text: str) -> None:
    """All or nothing: several processes may want the same file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
