import numpy as np
import pytest
from drawn import burst, spiral, words

from chaosbench.figures.power_spectrum import spectra, spectrum

pytest.importorskip("matplotlib")


def test_a_spectrum_peaks_at_the_frequency_of_the_oscillation():
    """Sines with frequencies 1 and 2 / (2 pi); smoothing over 20 bins of 1 / 2000 moves peaks by less than 0.02."""
    truth = spiral(20_000, 2)
    figure = spectrum(**spectra(truth, truth, 0.1))
    for index, axes in enumerate(figure.axes):
        frequency, power = axes.get_lines()[0].get_data()
        assert frequency[np.argmax(power)] == pytest.approx((index + 1) / (2 * np.pi), abs=0.02)
        assert axes.get_xlabel() == "frequency [1 / system time]"
    assert figure.axes[0].get_ylabel() == "power [share of the total]"


def test_lines_differ_by_more_than_colour():
    lines = spectrum(**spectra(spiral(), spiral(), 0.1)).axes[0].get_lines()
    assert len({line.get_linestyle() for line in lines}) == 2
    assert [line.get_label() for line in lines] == ["truth", "free run"]


def test_a_diverged_free_run_is_reported_with_its_step():
    assert "diverged after 70 steps" in words(spectrum(**spectra(spiral(), burst(spiral(), after=70), 0.1)))
    assert "diverged" in words(spectrum(**spectra(spiral(), burst(spiral(), after=0), 0.1)))


def test_only_three_observables_are_shown():
    assert len(spectrum(**spectra(spiral(dimension=5), spiral(dimension=5), 0.1)).axes) == 3
