"""Confidence intervals of a mean, from plain arithmetic.

This module imports neither torch nor scipy, because the ranking must start fast and `dynamics/` may import torch alone.
`dynamics.intervals` has the form for tensors with missing entries.
"""

import math
from functools import lru_cache
from typing import Any, Protocol, TypeVar


class _Scalable(Protocol):
    def __mul__(self, other: Any, /) -> Any: ...


Scalable = TypeVar("Scalable", bound=_Scalable)


def half_width(deviation: Scalable, count: int) -> Scalable:
    """Return the half width of the 95 % confidence interval of a mean (Student's t).

    Args:
        deviation: sample standard deviation with `count - 1` in the denominator; a number, an array or a tensor.
        count: number of independent values that the mean is taken over.

    Returns:
        The half width in the units and the shape of `deviation`; NaN for fewer than two values.
    """
    width: Scalable = deviation * (student_quantile(count - 1) / math.sqrt(max(count, 1)))
    return width


def share_interval(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a probability from the number of times that something happened.

    Args:
        count: number of times that it happened, 0 to `total`.
        total: number of independent trials, at least one.

    Source:
        Wilson 1927, Journal of the American Statistical Association 22, 209.
    """
    z, share = 1.959964, count / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


@lru_cache(maxsize=1024)
def student_quantile(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution; NaN for less than one degree of freedom.

    For a whole number of degrees of freedom the distribution is a finite sum of positive terms, so bisection finds the
    quantile to rounding: t = sqrt(n) tan(theta), where theta solves P(|T| < t) = 0.95.

    Source:
        Abramowitz & Stegun 1964, Handbook of Mathematical Functions, equations 26.7.3 and 26.7.4.
    """
    if freedom < 1:
        return math.nan
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _central_probability(middle, freedom) < 0.95 else (low, middle)
    return math.sqrt(freedom) * math.tan(middle)


def _central_probability(theta: float, freedom: int) -> float:
    """P(|T| < sqrt(n) tan(theta)) for n degrees of freedom."""
    sine, cosine = math.sin(theta), math.cos(theta)
    odd = freedom % 2
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= cosine * cosine * k / (k + 1)
    return 2 / math.pi * (theta + sine * total) if odd else sine * total
