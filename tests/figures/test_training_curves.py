import numpy as np
import pytest
from drawn import entries, line, words

from chaosbench.figures.training_curves import training

pytest.importorskip("matplotlib")

UPDATES = np.array([10, 20, 30])


def test_loss_and_norm_show_each_seed_their_median_and_the_clip():
    loss = np.array([[4.0, 2.0, 1.0], [3.0, 3.0, 3.0], [9.0, 1.0, 2.0]])
    figure = training(UPDATES, loss=loss, norm=loss / 10, clip=0.25)
    left, right = figure.axes
    assert entries(left) == ["each seed", "median over seeds"]
    assert entries(right) == ["each seed", "median over seeds", "clipped at 0.25"]
    assert list(line(left, "median over seeds").get_ydata()) == [4.0, 2.0, 2.0]
    assert list(line(right, "clipped at 0.25").get_ydata()) == [0.25, 0.25]
    assert (left.get_xlabel(), left.get_ylabel()) == ("training [updates]", "loss [1]")
    assert right.get_ylabel() == "gradient norm before clipping [1]"
    assert left.get_yscale() == right.get_yscale() == "log"


def test_the_last_finite_update_before_one_that_is_not_is_marked():
    norm = np.array([[4.0, 1.0, 2.0], [2.0, np.nan, np.nan], [1.0, np.inf, 3.0]])
    (axes,) = (figure := training(UPDATES, norm=norm)).axes
    marks = line(axes, "next update is not finite")
    assert (list(marks.get_xdata()), list(marks.get_ydata())) == ([10, 10], [2.0, 1.0])
    assert "1 of 3 seeds diverged" in words(figure)


def test_values_that_are_not_finite_count_as_largest_in_the_median():
    norm = np.array([[4.0, 1.0], [2.0, np.nan], [1.0, 3.0]])
    (axes,) = training(UPDATES[:2], norm=norm).axes
    assert list(line(axes, "median over seeds").get_ydata()) == [2.0, 3.0]


def test_training_that_diverged_in_the_first_update_is_reported():
    assert "diverged" in words(training(UPDATES, norm=np.full((2, 3), np.nan)))


def test_a_loss_of_zero_is_drawn():
    assert training(UPDATES, loss=np.zeros((1, 3)), norm=np.zeros((1, 3))).axes
