import numpy as np
import pytest
from drawn import entries

from chaosbench.figures.valid_times import valid_times

pytest.importorskip("matplotlib")


def heights(axes):
    return [patch.get_data().values for patch in axes.patches]


def test_shares_of_each_histogram_sum_to_one_in_common_bins():
    rng = np.random.default_rng(0)
    (axes,) = valid_times(rng.gamma(2, size=(3, 50)), twin=rng.gamma(9, size=50)).axes
    assert [shares.sum() for shares in heights(axes)] == pytest.approx([1.0] * 5), "all seeds, three seeds, the twin"
    edges = np.stack([patch.get_data().edges for patch in axes.patches])
    assert (edges == edges[0]).all()
    assert axes.get_xlabel() == "valid prediction time, error up to 0.4 std [Lyapunov times]"


def test_the_legend_shows_medians():
    (axes,) = valid_times(np.array([[1.0, 2.0, 3.0]]), twin=np.array([7.0, 8.0, 9.0]), threshold=0.3).axes
    assert entries(axes) == ["model, all seeds: median 2", "true system, perturbed: median 8"]
    assert "0.3 std" in axes.get_xlabel()


def test_forecasts_that_fail_at_once_are_all_in_the_first_bin():
    (axes,) = valid_times(np.zeros((2, 10))).axes
    assert [list(shares[:2]) for shares in heights(axes)] == [[1.0, 0.0]] * 3


def test_times_that_are_not_finite_are_in_no_bin():
    (axes,) = valid_times(np.array([[1.0, np.nan]])).axes
    assert heights(axes)[0].sum() == 0.5
    assert valid_times(np.full((1, 3), np.nan)).axes
