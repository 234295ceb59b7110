from datetime import UTC, datetime

import numpy as np
import pytest

from chaosbench.experiment import Experiment, Record, Result, Run
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import read
from chaosbench.metrics import StateSpaceDivergence
from chaosbench.models import RNN
from chaosbench.report import figures
from chaosbench.systems import Lorenz63
from chaosbench.trainers import BPTT

pytest.importorskip("matplotlib")


def spiral(steps=400, dimension=3):
    time = np.arange(steps) * 0.1
    return np.stack([np.sin(time * (place + 1)) for place in range(dimension)], axis=1).astype(np.float32)


def burst(series, *, after):
    series = series.copy()
    series[after:] = np.nan
    return series


@pytest.fixture
def make_folder(tmp_path):
    """A published experiment: one divergence per seed (None: diverged), a free run and gradient norms for each."""

    def make(divergences, free_runs, *, norms=(3.0, 1.0)):
        seeds = tuple(range(10, 10 + len(divergences)))
        experiment = Experiment(
            suite="toy", system=Lorenz63(), model=RNN(), trainer=BPTT(), metrics=(StateSpaceDivergence(),), seeds=seeds
        )
        digest = experiment.digest()
        runs = [
            Run(digest, "toy", seed, "lorenz63", "data", "rnn", "bptt", "ok" if d is not None else "diverged",
                "", 9, 2, 1.0, 1.0, "cpu", datetime.now(UTC))
            for seed, d in zip(seeds, divergences, strict=True)
        ]  # fmt: skip
        records = [
            Record(digest, seed, "state_space_divergence", d, 0.1, "nats", "lower", None)
            for seed, d in zip(seeds, divergences, strict=True)
        ]
        records += [
            Record(digest, seed, "gradient_norm(every=5)", norm, None, "1", "", 5 * (place + 1))
            for seed in seeds
            for place, norm in enumerate(norms)
        ]
        arrays = {"truth": spiral(), "free_run": np.stack(free_runs), "dt": np.array([0.1])} if free_runs else {}
        return store.write(Result(experiment, tuple(runs), tuple(records), arrays), tmp_path)

    return make


@pytest.mark.parametrize("dimension", [1, 2, 3, 5])
def test_truth_and_free_run_share_their_ranges_and_name_their_axes(dimension):
    figure = figures.attractor(spiral(dimension=dimension), 0.9 * spiral(dimension=dimension), label="it")
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("truth", "free run")
    assert left.get_xlim() == right.get_xlim()
    assert left.get_ylim() == right.get_ylim()
    for axes in (left, right):
        assert axes.get_xlabel() == "$x_{1}$ [std]"
        assert axes.get_ylabel() == ("next $x_{1}$ [std]" if dimension == 1 else "$x_{2}$ [std]")
    assert hasattr(left, "get_zlabel") == (dimension > 2)


def test_names_of_observables_replace_numbers():
    figure = figures.attractor(spiral(dimension=2), spiral(dimension=2), names=("voltage", "recovery"))
    assert figure.axes[0].get_xlabel() == "voltage [std]"


def test_what_leaves_the_range_of_the_truth_is_told_in_the_title():
    free_run = spiral()
    free_run[:100] *= 100
    assert "% outside" in figures.attractor(spiral(), free_run).axes[1].get_title()


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_fixed_point_is_drawn_large_enough_to_be_seen(dimension):
    still = np.full((400, dimension), 0.1)
    truth, free_run = figures.attractor(spiral(dimension=dimension), still).axes
    assert max(line.get_markersize() for line in free_run.get_lines() if line.get_marker() == ".") > 5
    assert not [line for line in truth.get_lines() if line.get_marker() == "." and line.get_markersize() > 5]


def test_a_divergence_is_told_in_words_with_its_step():
    for draw in (figures.attractor, lambda truth, free_run: figures.spectrum(truth, free_run, 0.1)):
        assert "diverged after 70 steps" in _words(draw(spiral(), burst(spiral(), after=70)))
        assert "diverged" in _words(draw(spiral(), burst(spiral(), after=0)))


def test_a_spectrum_peaks_at_the_frequency_of_the_oscillation():
    """Two sines of 1 and 2 / (2 pi) per system time; smoothing over 20 bins of 1 / 2000 blurs less than 0.02."""
    truth = spiral(20_000, 2)
    figure = figures.spectrum(truth, truth, 0.1)
    for place, axes in enumerate(figure.axes):
        frequency, power = axes.get_lines()[0].get_data()
        assert frequency[np.argmax(power)] == pytest.approx((place + 1) / (2 * np.pi), abs=0.02)
        assert axes.get_xlabel() == "frequency [1 / system time]"
    assert figure.axes[0].get_ylabel() == "power [share of the total]"


def test_lines_differ_by_more_than_colour():
    lines = figures.spectrum(spiral(), spiral(), 0.1).axes[0].get_lines()
    assert len({line.get_linestyle() for line in lines}) == 2
    assert [line.get_label() for line in lines] == ["truth", "free run"]


def test_gradient_norms_show_each_seed_their_median_and_the_clip():
    norms = {0: {10: 4.0, 20: 1.0}, 1: {10: 2.0, 20: None}, 2: {10: 1.0, 20: 3.0}}
    (axes,) = figures.gradients(norms, clip=1.5).axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["each seed", "median over seeds", "clipped at 1.5", "diverged from here"]
    median = next(line for line in axes.get_lines() if line.get_label() == "median over seeds")
    assert list(median.get_ydata()) == [2.0, 3.0], "a diverged seed counts as largest"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("training [updates]", "gradient norm before clipping [1]")
    assert axes.get_yscale() == "log"


def test_gradients_of_seeds_that_diverged_at_once_are_told_in_words():
    assert "diverged" in _words(figures.gradients({0: {1: None}, 1: {1: None}}))


def test_a_folder_is_drawn_whole_and_stays_readable(make_folder):
    folder = make_folder([0.2, 0.1, 0.3], [spiral(), 0.5 * spiral(), 2 * spiral()])
    drawn = figures.draw(folder)
    assert [path.name for path in drawn] == ["attractor.png", "spectrum.png", "gradients.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert read(folder).runs


@pytest.mark.parametrize(
    ("divergences", "place"),
    [((0.2, 0.1, 0.3), 0), ((None, 0.1, 0.3), 2), ((None, None, 0.3), 0), ((0.4, 0.1), 1), ((5.0,), 0)],
)
def test_the_seed_that_is_drawn_is_the_median_one(make_folder, divergences, place):
    assert figures.median_seed(read(make_folder(divergences, []))) == place


def test_an_experiment_that_diverged_whole_is_drawn_too(make_folder):
    folder = make_folder([None, None], [burst(spiral(), after=0)] * 2, norms=(None, None))
    assert len(figures.draw(folder)) == 3


def test_only_what_was_recorded_is_drawn(make_folder):
    assert figures.draw(make_folder([0.1], [], norms=())) == []
    assert [path.name for path in figures.draw(make_folder([0.1, 0.2], []))] == ["gradients.png"]


def test_without_matplotlib_nothing_is_drawn(make_folder, monkeypatch):
    monkeypatch.setattr(figures, "find_spec", lambda name: None)
    assert not figures.available()
    assert figures.draw(make_folder([0.1], [spiral()])) == []


def _words(figure):
    return " ".join(text.get_text() for axes in figure.axes for text in axes.texts)
