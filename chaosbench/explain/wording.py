"""Numbers of a run as people say them: shares, ratios, errors, motions."""

from collections.abc import Mapping

from chaosbench.formats import number, percent
from chaosbench.theory.verdict import Verdict

RATE = "[1 / system time]"
_MOTIONS = {"chaotic": "chaotic", "quasi-periodic": "quasi-periodic", "fixed point": "at rest at a fixed point"}


def motion(reached: Verdict, numbers: Mapping[str, float]) -> str:
    """What the network is, or where."""
    if reached.regime == "periodic":
        period = int(numbers.get("period", 0))
        return f"on a {period}-cycle" if period else "settling, on a point or a cycle"
    if reached.regime == "divergent":
        lost = 1 - numbers.get("bounded_share", 0.0)
        return f"divergent: {'its' if lost == 1 else f'{percent(lost)} of its'} free runs blow up"
    if reached.regime == "undecided":
        return "of undecided motion"
    return _MOTIONS[reached.regime]


def measured(numbers: Mapping[str, float], name: str) -> str:
    """A number with the half width of its interval, where it has one."""
    width = numbers.get(f"{name}_interval")
    return number(numbers[name]) if width is None else f"{number(numbers[name])} ± {number(width)}"


def compared(name: str, own: float, true: float, width: float, *, zero: float) -> str:
    """The network's exponent beside the data's; by how much it is off, where that is beyond its interval.

    `zero` is what the data's exponent may be and still be none: of what is nearly zero no share can be told.
    """
    if abs(true) <= zero or abs(own - true) <= width:
        return f"The {name} exponent is {number(own)}, the data's {number(true)}."
    if own * true <= 0:
        return f"The {name} exponent is {number(own)} where the data's is {number(true)}."
    sign, beside = "negative" if true < 0 else "positive", f"({number(own)} in place of {number(true)})"
    if abs(own) >= 2 * abs(true):
        return f"The {name} exponent is {number(own / true)} times the data's {beside}."
    amount = f"too {sign}" if abs(own) > abs(true) else f"less {sign} than it should be"
    return f"The {name} exponent is {percent(abs(own / true - 1))} {amount} {beside}."


def lasting(times: float | None) -> str:
    """A stretch in Lyapunov times, in brackets; nothing where these are not known."""
    return "" if times is None else f" ({number(times)} Lyapunov times)"


def times(ratio: float) -> str:
    """`96 % of`, `12 times`, before that which it is of."""
    return f"{100 * ratio:.0f} % of" if abs(ratio) < 10 else f"{ratio:.0f} times"
