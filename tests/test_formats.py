"""Numbers and time spans as text."""

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from chaosbench.formats import duration, number, rounded


def test_numbers_have_three_significant_digits():
    values = (None, 0, 0.012345, 1.5, 99.96, 123.4, 54321.0, 1234567.0, 0.000123, -2.0)
    assert [number(value) for value in values] == [
        "-", "0", "0.0123", "1.50", "100", "123", "54321", "1.23e+06", "1.23e-04", "-2.00",
    ]  # fmt: skip


@given(st.floats(1e-9, 1e9), st.sampled_from([1, 2, 3]), st.sampled_from([1, -1]))
def test_a_rounded_number_has_the_digits_asked_for(value: float, digits: int, sign: int):
    """Rounding to n significant digits errs by at most half a unit of the last one."""
    unit = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    assert math.isclose(float(rounded(sign * value, digits)), sign * value, abs_tol=max(0.5001 * unit, 0))


@given(st.floats(1e-6, 1e6))
def test_a_number_with_fewer_digits_is_not_longer(value: float):
    assume(not 0.00999 <= value < 0.01)  # one digit rounds it up to a number with a decimal point
    assert len(rounded(value, 1)) <= len(rounded(value, 2)) <= len(rounded(value, 3))


def test_time_spans_are_given_in_seconds_minutes_or_hours():
    spans = (0.04, 9.94, 9.96, 61, 99.6, 3599.7, 7384)
    assert [duration(span) for span in spans] == [
        "0.0 s", "9.9 s", "10 s", "61 s", "1 min 40 s", "1 h 00 min", "2 h 03 min",
    ]  # fmt: skip
