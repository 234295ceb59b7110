"""Numbers as text: three significant digits, time spans, sizes, counts, percentages."""

import math


def number(value: float | None) -> str:
    """Format a number with three significant digits, or "-" where there is none."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e5:
        return f"{value:.2e}"
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"


def rounded(value: float, digits: int) -> str:
    """Format a number in few characters with `digits` significant digits; digits before the point are kept.

    Numbers from 0.01 to 100,000 have a decimal point, and others an exponent such as in 2e-3.
    """
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -2 <= exponent < 5:
        return f"{value:.{max(0, digits - 1 - exponent)}f}"
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa}e{int(power)}"


def duration(seconds: float) -> str:
    """Format a time span in seconds, minutes or hours."""
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: int) -> str:
    """Format a number of bytes in MB or GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{math.ceil(count / 1e6)} MB"


def roughly(seconds: float) -> str:
    """Format an estimated time span with one or two digits: `20 s`, `3 min`, `1 h 20 min`, `3 days`."""
    if seconds < 55:
        return f"{max(1, round(seconds))} s" if seconds < 10 else f"{5 * round(seconds / 5)} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 600:
        hours, rest = divmod(10 * round(minutes / 10), 60)
        return f"{hours} h {rest:02d} min" if rest else f"{hours} h"
    return f"{round(minutes / 60)} h" if minutes < 2_880 else f"{round(minutes / 1_440)} days"


def counted(count: int, noun: str) -> str:
    """Format a count with its noun, in the plural unless there is one."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def percent(share: float) -> str:
    """Format a share as a percentage: one decimal below 10 %, never rounded to 0 % or 100 %."""
    if 0 < share < 0.001:
        return "less than 0.1 %"
    if 0.995 <= share < 1:
        return f"{math.floor(1000 * share) / 10:.1f} %"
    return f"{100 * share:.0f} %" if share >= 0.0995 or share == 0 else f"{100 * share:.1f} %"


def ratio(value: float) -> str:
    """Format a ratio as `96 % of` or `7.1 times`, to be followed by the reference."""
    return f"{100 * value:.0f} % of" if abs(value) < 2 else f"{value:.2g} times"
