"""The hyperbolic tangent and the logistic function of vectors of samples."""

from fractions import Fraction
from math import factorial, log

from numba.extending import overload

from chaosbench.kernels.lanes import constant, limited, multiply_add, power_of_two, rough_reciprocal
from chaosbench.kernels.numba_compiled import inlined


def _lambert(terms: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Coefficients of tanh(x) / x = p(x²) / q(x²), highest first: Lambert's continued fraction of that many terms."""
    upper, lower = [Fraction(1)], [Fraction(2 * terms - 1)]
    for odd in range(2 * terms - 3, 0, -2):
        raised = [Fraction(0), *upper]
        size = max(len(raised), len(lower))
        raised, padded = ([*row, *[Fraction(0)] * (size - len(row))] for row in (raised, lower))
        upper, lower = lower, [odd * b + a for a, b in zip(raised, padded, strict=True)]
    scale = lower[0]
    return tuple(float(c / scale) for c in reversed(upper)), tuple(float(c / scale) for c in reversed(lower))


_UPPER, _LOWER = _lambert(13)
_LN2 = 0.6931471805598903  # its product with a small integer is exact
_LN2_REST = 5.497923018708371e-14
_TAYLOR = tuple(1 / factorial(n) for n in range(14))  # of e^r, |r| < 0.35


def squashed(x):
    """Return tanh(x): to 4e-7 in single precision, to rounding in double."""


@overload(squashed)
def _squashed(x):
    return exponential_tanh if x.dtype.bitwidth == 64 else rational_tanh


def exponential_tanh(x):
    """Return tanh(x) = u / (u + 2), u = e^2x - 1, to rounding in double precision."""
    x = limited(x, constant(x, 20.0))  # beyond, tanh is 1 in double precision
    power, s = _exponential(x + x)
    u = multiply_add(power, s, power - constant(x, 1.0))
    return u / (u + constant(x, 2.0))


@inlined
def logistic(x):
    """Return 1 / (1 + e^-x) and 1 / (1 + e^x), both to rounding in double precision, however small."""
    x, one = limited(x, constant(x, 700.0)), constant(x, 1.0)  # e^700 is still a number
    power, s = _exponential(x)
    grown = multiply_add(power, s, power)
    rest = one / (one + grown)
    return grown * rest, rest


@inlined
def _exponential(x):
    """Return 2^k and s of e^x = 2^k (1 + s), where x = k ln 2 + r and s = e^r - 1, in double precision."""
    shift = constant(x, 1.5 * 2.0**52)  # the sum with the shift is rounded to an integer
    whole = multiply_add(x, constant(x, 1 / log(2)), shift)
    k = whole - shift
    r = multiply_add(k, constant(x, -_LN2_REST), multiply_add(k, constant(x, -_LN2), x))
    s = multiply_add(r, constant(x, _TAYLOR[13]), constant(x, _TAYLOR[12]))
    s = multiply_add(r, s, constant(x, _TAYLOR[11]))
    s = multiply_add(r, s, constant(x, _TAYLOR[10]))
    s = multiply_add(r, s, constant(x, _TAYLOR[9]))
    s = multiply_add(r, s, constant(x, _TAYLOR[8]))
    s = multiply_add(r, s, constant(x, _TAYLOR[7]))
    s = multiply_add(r, s, constant(x, _TAYLOR[6]))
    s = multiply_add(r, s, constant(x, _TAYLOR[5]))
    s = multiply_add(r, s, constant(x, _TAYLOR[4]))
    s = multiply_add(r, s, constant(x, _TAYLOR[3]))
    s = multiply_add(r, s, constant(x, _TAYLOR[2]))
    s = multiply_add(r * r, s, r)
    return power_of_two(whole), s


def rational_tanh(x):
    """Return tanh(x) by Lambert's continued fraction, which is a rational function of x² with positive terms."""
    x = limited(x, constant(x, 9.02))  # beyond, tanh is 1 in single precision
    square = x * x
    upper, lower = constant(x, _UPPER[0]), constant(x, _LOWER[0])
    upper = multiply_add(upper, square, constant(x, _UPPER[1]))
    upper = multiply_add(upper, square, constant(x, _UPPER[2]))
    upper = multiply_add(upper, square, constant(x, _UPPER[3]))
    upper = multiply_add(upper, square, constant(x, _UPPER[4]))
    upper = multiply_add(upper, square, constant(x, _UPPER[5]))
    upper = multiply_add(upper, square, constant(x, _UPPER[6]))
    lower = multiply_add(lower, square, constant(x, _LOWER[1]))
    lower = multiply_add(lower, square, constant(x, _LOWER[2]))
    lower = multiply_add(lower, square, constant(x, _LOWER[3]))
    lower = multiply_add(lower, square, constant(x, _LOWER[4]))
    lower = multiply_add(lower, square, constant(x, _LOWER[5]))
    lower = multiply_add(lower, square, constant(x, _LOWER[6]))
    return x * upper * _reciprocal(lower)


@inlined
def _reciprocal(x):
    """Return 1 / x to 1e-7, for positive x, by three steps of Newton's method, which take less time than a division."""
    two, guess = constant(x, 2.0), rough_reciprocal(x)
    guess = guess * (two - x * guess)
    guess = guess * (two - x * guess)
    return guess * (two - x * guess)
