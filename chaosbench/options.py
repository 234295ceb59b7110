"""Parsers for option values of the command line: seeds, overrides, durations, sizes."""

import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from chaosbench.errors import SpecError, unknown_name
from chaosbench.limits import valid_seeds

RERUN = ("failed", "crashed", "timeout", "oom", "all")  # what `--rerun` takes; all: every run without a result


def seeds(text: str | None) -> list[int] | None:
    """Parse `0:5`, `3` or `1,4,7` into a list of seeds; None stays None."""
    if text is None:
        return None
    first, colon, last = text.partition(":")
    numbers: Sequence[int] = []
    with suppress(ValueError):  # refused below
        numbers = range(int(first or 0), int(last)) if colon else [int(part) for part in text.split(",")]
    if not numbers or min(numbers) < 0:
        raise SpecError(f"--seeds {text!r} names no seeds; write 0:5 for 0 to 4, or 1,4,7")
    return list(valid_seeds(numbers))


def changes(texts: list[str] | None) -> dict[str, Any]:
    """Parse options such as `trainer.updates=100`; a value that is not TOML is a string."""
    values = {}
    for text in texts or ():
        path, equals, value = text.partition("=")
        if not equals or not path or not value:
            raise SpecError(f"--set {text!r} is not PART.FIELD=VALUE, such as trainer.updates=100")
        try:
            values[path.strip()] = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):  # not TOML, or a number or a nesting beyond what Python reads
            values[path.strip()] = value.strip()
    return values


def folder(text: str | Path) -> Path:
    """Parse the path of a directory; an empty text, such as that of a variable that is not set, is refused."""
    if not str(text):
        raise SpecError("the path of the results is empty; name a directory, such as results")
    try:
        str(text).encode("utf-8")
    except UnicodeEncodeError:
        raise SpecError(f"the path {str(text)!r} is not valid UTF-8, as result files need it; name another") from None
    return Path(text)


def seconds(text: str, option: str) -> float:
    """Parse `60s`, `5m`, `1h` or a plain number into seconds."""
    value = _scaled(text, {"s": 1.0, "m": 60.0, "h": 3600.0})
    if value is None:
        raise SpecError(f"{option} {text!r} is not a positive time; write 60s or 5m")
    return value


def size(text: str, option: str) -> int:
    """Parse `500M`, `4G`, `4GB` or a plain number into bytes."""
    value = _scaled(text.upper().removesuffix("B"), {"K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12})
    if value is None:
        raise SpecError(f"{option} {text!r} is not a size of memory; write 500MB or 4GB")
    return int(value)


def statuses(texts: Sequence[str] | None) -> tuple[str, ...]:
    """Return the statuses of `--rerun` after a check that each of them can run again."""
    for text in texts or ():
        if text not in RERUN:
            raise unknown_name("status to run again", text, RERUN, place="--rerun")
    return tuple(texts or ())


def shard(text: str | None) -> slice:
    """Parse `2/8` into the slice of every eighth experiment from the second on; None is all of them."""
    if text is None:
        return slice(None)
    first, slash, count = text.partition("/")
    if not (slash and first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise SpecError(f"--shard {text!r} is not I/N with I from 1 to N; write 1/8 to 8/8 for eight commands")
    return slice(int(first) - 1, None, int(count))


def _scaled(text: str, units: dict[str, float]) -> float | None:
    """Return the number before a unit, times the unit; None where it is not positive and finite, or no number."""
    unit = units.get(text[-1:], 0.0)
    try:
        value = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def numbers(text: str, option: str) -> list[float]:
    """Parse `0,-0.25,0.42081,0` into numbers."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise SpecError(f"{option} {text!r} is not a list of numbers; write 0,-0.25,0.42081,0") from None
