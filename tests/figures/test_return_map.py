import numpy as np
import pytest
import torch
from drawn import burst, spiral, words

from chaosbench.dynamics import orbit
from chaosbench.figures.return_map import maxima, return_map, returns
from chaosbench.systems import Lorenz63

pytest.importorskip("matplotlib")


def logistic(steps):
    values = [0.3]
    for _ in range(steps - 1):
        values.append(4 * values[-1] * (1 - values[-1]))
    return np.array(values)[:, None]


@pytest.fixture(scope="module")
def lorenz():
    system = Lorenz63()
    start = torch.tensor([[1.0, 1.0, 25.0]], dtype=torch.float64)
    return orbit(system, start, steps=4_000)[0].numpy()


def test_maxima_lie_between_the_samples():
    """cos has maxima of 1 between samples h apart; the error of a parabola is a fourth derivative, less than h^4."""
    for step in (0.3, 0.1):
        heights = maxima(np.cos(0.05 + step * np.arange(1_000)))
        assert len(heights) == int((0.05 + 999 * step) / (2 * np.pi))
        assert heights == pytest.approx(1.0, abs=step**4)


def test_the_maximum_of_a_parabola_is_exact():
    assert maxima(1.7 - (np.arange(-3, 4) + 0.3) ** 2) == pytest.approx([1.7])


def test_a_plateau_has_one_maximum_and_ends_and_short_series_have_none():
    assert len(maxima(np.array([0.0, 1.0, 1.0, 0.0]))) == 1
    assert len(maxima(np.arange(5.0))) == 0
    assert len(maxima(np.zeros(5))) == 0
    assert len(maxima(np.zeros(2))) == 0


def test_the_return_map_of_the_lorenz_system_uses_the_maxima_of_z(lorenz):
    """As in Lorenz 1963, figure 4; the other observables have two lobes."""
    shown = returns(lorenz, lorenz)
    assert (shown["observable"], shown["what"]) == (3.0, "maximum")
    before, after = shown["truth"][:-1], shown["truth"][1:]
    cusp = before[np.argmax(after)]
    left, right = before < cusp, before > cusp
    for side, sign in ((left, 1), (right, -1)):
        order = np.argsort(before[side])
        assert (sign * np.diff(after[side][order]) > -0.1).all(), "it rises up to the cusp and falls after it"


def test_the_return_map_of_a_map_uses_successive_values():
    """Each pair lies on the parabola 4 x (1 - x)."""
    series = logistic(500)
    shown = returns(series, series)
    assert shown["what"] == "value"
    left, _ = return_map(**shown).axes
    before, after = left.get_lines()[0].get_data()
    assert after == pytest.approx(4 * before * (1 - before))
    assert left.get_xlabel() == "value of x₁ [std]"
    assert left.get_ylabel() == "next value of x₁ [std]"


def test_a_free_run_is_drawn_over_the_truth_in_its_ranges(lorenz):
    figure = return_map(**returns(lorenz, 3 * lorenz))
    left, right = figure.axes
    assert left.get_xlim() == right.get_xlim() == left.get_ylim()
    assert len(right.get_lines()) == 2
    assert "100 %" in right.get_title()


def test_cycles_are_drawn_with_large_dots(lorenz):
    cycle = np.tile(lorenz.mean(0), (4_000, 1))
    cycle[:, 2] += 5 * np.cos(2 * np.pi / 40 * np.arange(4_000))
    _, right = return_map(**returns(lorenz, cycle)).axes
    assert right.get_lines()[1].get_markersize() > 5


@pytest.mark.parametrize("after", [0, 1, 2, 70, 3_000])
def test_a_diverged_free_run_is_reported_with_its_step(lorenz, after):
    figure = return_map(**returns(lorenz, burst(lorenz, after=after)))
    assert (f"diverged after {after} steps" if after else "diverged") in words(figure)


def test_the_maxima_of_a_cycle_are_one_dot_in_a_range_that_is_not_magnified():
    """A cycle of 40.3 steps; the maximum of a parabola is exact within (2 pi / 40)^4 < 1e-3."""
    time = 2 * np.pi / 40.3 * np.arange(4_000)
    cycle = np.stack([np.cos(time), np.sin(time)], axis=1)
    left, _ = return_map(**returns(cycle, cycle)).axes
    low, high = left.get_xlim()
    assert high - low >= 0.2
    assert left.get_lines()[0].get_markersize() > 5


def test_too_few_maxima_are_counted(lorenz):
    assert "too few to draw: 0 maxima" in words(return_map(**returns(lorenz, np.ones_like(lorenz))))
    assert "too few to draw: 2 maxima" in words(return_map(**returns(lorenz, lorenz[:200])))


def test_true_orbits_without_chaos_are_drawn():
    for series in (spiral(), np.ones((400, 2)), spiral()[:5]):
        assert len(return_map(**returns(series, series)).axes) == 2
