"""Quantities in words: values with their intervals, ratios, and lengths in Lyapunov times."""

import math
from typing import TypeGuard

from chaosbench.formats import number, percent
from chaosbench.theory.run_diagnosis import Exponent

RATE = "[1 / system time]"


def is_finite(value: float | None) -> TypeGuard[float]:
    """Return True if the value is a finite number, not None."""
    return value is not None and math.isfinite(value)


def with_interval(value: float, interval: float | None) -> str:
    """Format `value ± interval`, or the value alone unless both are finite."""
    return f"{number(value)} ± {number(interval)}" if is_finite(value) and is_finite(interval) else number(value)


def compare_exponents(name: str, own: Exponent, true: Exponent, *, scale: float) -> str:
    """Compare an exponent of the network with the data's, as a ratio if they differ by more than the interval.

    Args:
        name: which exponent, as a word.
        scale: size of the data's largest exponent; an exponent below a fiftieth of it counts as zero and has no ratio.
    """
    width = own.interval if is_finite(own.interval) else 0.0
    zero = max(true.interval or 0.0, scale / 50)
    own_value, value = own.value, true.value
    if abs(value) <= zero or abs(own_value - value) <= width:
        return f"The {name} exponent is {number(own_value)} (data: {number(value)})."
    if own_value * value <= 0:
        return f"The {name} exponent is {number(own_value)}, while the data's is {number(value)}."
    sign, values = "negative" if value < 0 else "positive", f"({number(own_value)} instead of {number(value)})"
    if abs(own_value) >= 2 * abs(value):
        return f"The {name} exponent is {number(own_value / value)} times the data's {values}."
    amount = f"too {sign}" if abs(own_value) > abs(value) else f"less {sign} than the data's"
    return f"The {name} exponent is {percent(abs(own_value / value - 1))} {amount} {values}."


def in_lyapunov_times(times: float | None) -> str:
    """Format ` (1.80 Lyapunov times)`; empty where the data have no Lyapunov time."""
    return "" if times is None else f" ({number(times)} Lyapunov times)"
