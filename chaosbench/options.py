"""What is written behind options of the command line, read: seeds, changed fields, times."""

import tomllib
from typing import Any

from chaosbench.errors import SpecError


def seeds(text: str | None) -> list[int] | None:
    """`0:5`, `3`, or `1,4,7`."""
    if text is None:
        return None
    first, colon, last = text.partition(":")
    try:
        found = list(range(int(first or 0), int(last))) if colon else [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 0:
        raise SpecError(f"--seeds {text!r} names no seeds; write 0:5 for 0 to 4, or 1,4,7")
    return found


def changes(texts: list[str] | None) -> dict[str, Any]:
    """`trainer.updates=100`; the value is TOML, or else a word."""
    found = {}
    for text in texts or ():
        path, equals, value = text.partition("=")
        if not equals or not path or not value:
            raise SpecError(f"--set {text!r} is not PART.FIELD=VALUE, such as trainer.updates=100")
        try:
            found[path.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[path.strip()] = value.strip()
    return found


def seconds(text: str) -> float:
    """`60s`, `5m`, or a plain number of seconds."""
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:], 0.0)
    try:
        found = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise SpecError(f"--budget {text!r} is no time; write 60s or 5m")
    return found
