import numpy as np
import pytest
from drawn import burst, spiral, words

from chaosbench.figures.attractor import attractor

pytest.importorskip("matplotlib")


@pytest.mark.parametrize("dimension", [1, 2, 3, 5])
def test_truth_and_free_run_share_their_ranges_and_name_their_axes(dimension):
    figure = attractor(spiral(dimension=dimension), 0.9 * spiral(dimension=dimension), label="it")
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("truth", "free run")
    assert left.get_xlim() == right.get_xlim()
    assert left.get_ylim() == right.get_ylim()
    for axes in (left, right):
        assert axes.get_xlabel() == "x₁ [std]"
        assert axes.get_ylabel() == ("next x₁ [std]" if dimension == 1 else "x₂ [std]")
    assert hasattr(left, "get_zlabel") == (dimension > 2)


def test_names_of_observables_replace_numbers():
    figure = attractor(spiral(dimension=2), spiral(dimension=2), names=("voltage", "recovery"))
    assert figure.axes[0].get_xlabel() == "voltage [std]"


def test_the_title_reports_the_share_outside_the_range_of_the_truth():
    free_run = spiral()
    free_run[:100] *= 100
    assert "%" in attractor(spiral(), free_run).axes[1].get_title()


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_fixed_point_is_drawn_large_enough_to_be_seen(dimension):
    still = np.full((400, dimension), 0.1)
    truth, free_run = attractor(spiral(dimension=dimension), still).axes
    assert max(line.get_markersize() for line in free_run.get_lines() if line.get_marker() == ".") > 5
    assert not [line for line in truth.get_lines() if line.get_marker() == "." and line.get_markersize() > 5]


def test_a_diverged_free_run_is_reported_with_its_step():
    assert "diverged after 70 steps" in words(attractor(spiral(), burst(spiral(), after=70)))
    at_once = words(attractor(spiral(), burst(spiral(), after=0)))
    assert "diverged" in at_once
    assert "%" not in at_once, "there is no finite step to count"
