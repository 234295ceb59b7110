"""Errors of Kaplan-Yorke dimensions whose values are known."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from chaosbench.metrics import Evaluation, KaplanYorkeError, kaplan_yorke_error

LORENZ = np.array([0.9056, 0.0, -14.5723])  # Sprott 2003, Chaos and Time-Series Analysis: D = 2.06215


def test_dimensions_equal_those_of_published_and_exact_spectra() -> None:
    """Lorenz's published dimension is 2.06215; a cycle has 1, a torus 2, a fixed point 0."""
    for exponents, dimension in [
        ([0.0, -1.0, -10.0], 1.0),
        ([0.0, 0.0, -10.0], 2.0),
        ([-1.0, -2.0, -10.0], 0.0),
        ([1.0, 0.5, 0.0], 3.0),
    ]:
        assert kaplan_yorke_error(np.array(exponents), LORENZ) == pytest.approx(abs(dimension - 2.06215), abs=1e-5)
    assert kaplan_yorke_error(LORENZ, LORENZ) == 0


@pytest.mark.parametrize("noise", [-0.01, 0.01])
def test_a_cycle_has_one_dimension_on_whichever_side_of_zero_its_exponent_falls(noise: float) -> None:
    """Without a resolution the error is 1 on one side, and 0.01 / 2 on the other."""
    cycle = np.array([0.0, -2.0])
    assert kaplan_yorke_error(np.array([noise, -2.0]), cycle, resolution=0.02) == 0
    assert kaplan_yorke_error(np.array([noise, -2.0]), cycle) == pytest.approx(1.0 if noise < 0 else 0.005)


def test_fewer_exponents_than_the_references_dimension_give_nan() -> None:
    assert np.isnan(kaplan_yorke_error(np.array([0.9]), LORENZ))
    assert np.isfinite(kaplan_yorke_error(np.array([0.9, 0.0, -14.0, -20.0]), LORENZ))


def test_members_and_scores(evaluation: Evaluation) -> None:
    """1 + 1.2 / 3, 1 + 0.9 / 2 and 0 beside 1 + 1 / 2.6; the floor is 1 + 0.95 / 2.5."""
    expected = np.abs(np.array([1.4, 1.45, 0.0]) - (1 + 1 / 2.6))
    assert_allclose(KaplanYorkeError().score(evaluation), expected, rtol=1e-12)
    assert_allclose(KaplanYorkeError().score(evaluation.floor()), [abs(0.95 / 2.5 - 1 / 2.6)], rtol=1e-10)
    evaluation.exponents[1] = np.nan
    assert KaplanYorkeError().score(evaluation).isnan().tolist() == [False, True, False]


def test_the_score_takes_the_evaluations_resolution(evaluation: Evaluation) -> None:
    """At 0.1 the third seed's exponents -0.1 and -1 count as those of a cycle."""
    scores = KaplanYorkeError().score(replace(evaluation, resolution=0.1))
    assert scores[2] == pytest.approx(1 / 2.6)
