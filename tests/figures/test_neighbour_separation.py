import numpy as np
import pytest

from chaosbench.figures.neighbour_separation import neighbour_separation

pytest.importorskip("matplotlib")


def test_the_line_lies_on_the_curve_where_it_was_fitted():
    """A curve of slope 2 up to time 3, and flat from there."""
    times = 0.1 * np.arange(61)
    curve = np.minimum(2 * times, 6.0) - 7
    (axes,) = neighbour_separation(times, curve, slope=2.0, fit=(5, 25), dt=0.1, interval=0.1, label="a series").axes
    drawn, line = axes.get_lines()
    assert np.array_equal(drawn.get_ydata(), curve)
    assert line.get_ydata()[:30] == pytest.approx(curve[:30])
    assert axes.get_ylim()[1] < 0, "the line does not stretch the y range"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time [system time]", "log distance [nats]")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["mean over neighbours", "fitted range", "slope 2 ± 0.1 / system time"]


def test_lines_differ_by_more_than_colour():
    times = np.arange(20.0)
    (axes,) = neighbour_separation(times, times, slope=1.0, fit=(0, 19), dt=1.0).axes
    assert len({line.get_linestyle() for line in axes.get_lines()}) == 2
