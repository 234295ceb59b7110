"""How the page on speed writes numbers and names."""

from collections.abc import Callable

from benchmarks.lines import Stored
from chaosbench.formats import duration, rounded


def machine_of(one: Stored) -> str:
    """Return the short name of a machine."""
    return one.where.machine.partition(",")[0]


def spread(write: Callable[[float | None], str], middle: float | None, least: float | None, most: float | None) -> str:
    """Return a median with the least and the most in parentheses."""
    return write(middle) if least == most else f"{write(middle)} ({write(least)} to {write(most)})"


def as_seconds(value: float | None) -> str:
    """Return a time in seconds or milliseconds; nothing for None."""
    if value is None:
        return ""
    return duration(value) if value >= 1 else f"{rounded(1e3 * value, 3)} ms"


def as_milliseconds(value: float | None) -> str:
    """Return a number of milliseconds; nothing for None."""
    return "" if value is None else f"{1e3 * value:.3f}"


def as_ratio(value: float | None) -> str:
    """Return a ratio to two or three digits; nothing for None."""
    return "" if value is None else f"{value:,.0f}" if value >= 20 else f"{value:.1f}"
