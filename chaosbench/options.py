"""Parsers for option values of the command line: seeds, overrides, durations."""

import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from chaosbench.errors import SpecError
from chaosbench.limits import valid_seeds


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
    return Path(text)


def seconds(text: str) -> float:
    """Parse `60s`, `5m`, `1h` or a plain number into seconds."""
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:], 0.0)
    try:
        value = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise SpecError(f"--budget {text!r} is not a positive time; write 60s or 5m")
    return value


def numbers(text: str, option: str) -> list[float]:
    """Parse `0,-0.25,0.42081,0` into numbers."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise SpecError(f"{option} {text!r} is not a list of numbers; write 0,-0.25,0.42081,0") from None
