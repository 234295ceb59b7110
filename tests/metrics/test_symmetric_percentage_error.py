"""Symmetric percentage errors by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics import symmetric_percentage_error

PAIRS = arrays(np.float64, (2, 6, 2), elements=st.floats(-1e3, 1e3).filter(lambda x: x == 0 or abs(x) > 1e-3))


@pytest.mark.parametrize(("convention", "largest"), [("m4", 200.0), ("dysts", 100.0)])
def test_the_scale_is_the_conventions_own(convention: str, largest: float) -> None:
    """3 and 1 differ by half of their sum; numbers of different sign by the whole. The 1e-10 below is all the error."""
    truth = np.ones((4, 1))
    assert symmetric_percentage_error(3 * truth, truth, convention=convention) == pytest.approx(largest / 2, rel=1e-9)
    assert symmetric_percentage_error(-truth, truth, convention=convention) == pytest.approx(largest, rel=1e-9)
    assert symmetric_percentage_error(0 * truth, truth, convention=convention) == pytest.approx(largest, rel=1e-9)


@given(PAIRS)
def test_it_is_symmetric_bounded_and_independent_of_units(pair: np.ndarray) -> None:
    """Units matter only through the 1e-10 in the denominator, by 1e-7 for values above 1e-3."""
    first, other = pair
    error = symmetric_percentage_error(first, other)
    assert 0 <= error <= 200
    assert symmetric_percentage_error(other, first) == error
    assert symmetric_percentage_error(7 * first, 7 * other) == pytest.approx(error, rel=1e-6, abs=1e-9)
    assert symmetric_percentage_error(first, first) == 0


def test_only_the_first_steps_count() -> None:
    forecast, truth = np.ones((25, 2)), np.ones((25, 2))
    forecast[10:] = np.nan
    assert symmetric_percentage_error(forecast, truth, steps=10) == 0
    assert np.isnan(symmetric_percentage_error(forecast, truth))


def test_an_unknown_convention_is_rejected() -> None:
    with pytest.raises(ChaosbenchError, match="'m3'"):
        symmetric_percentage_error(np.ones((2, 1)), np.ones((2, 1)), convention="m3")  # type: ignore[arg-type]
