import math
from datetime import UTC, datetime

import numpy as np
import pytest

from chaosbench.experiment import Experiment, Record, Result, Run
from chaosbench.figures import ForcingCurve
from chaosbench.figures import draw as figures
from chaosbench.leaderboard import store
from chaosbench.leaderboard.rank import rank
from chaosbench.metrics import StateSpaceDivergence
from chaosbench.models import LSTM, RNN
from chaosbench.systems import Henon, Lorenz63
from chaosbench.trainers import BPTT, SparseTeacherForcing

pytest.importorskip("matplotlib")


@pytest.fixture
def publish(tmp_path):
    """Return a function that stores an experiment with an interval and D_stsp for each seed; None if it diverged."""

    def make(interval, divergences, *, model=None, system=None, exponent=None, trainer=None, **settings):
        experiment = Experiment(
            suite="toy",
            system=system or Lorenz63(),
            model=model or RNN(),
            trainer=trainer or SparseTeacherForcing(interval=interval, **settings),
            metrics=(StateSpaceDivergence(),),
            seeds=tuple(range(len(divergences))),
        )
        digest = experiment.digest()
        labels = (experiment.system.label, experiment.data.label, experiment.model.label, experiment.trainer.label)
        runs = tuple(
            Run(digest, "toy", seed, *labels, "ok" if d is not None else "diverged", "", 9, 2, 1.0, 1.0, "cpu",
                datetime.now(UTC))
            for seed, d in enumerate(divergences)
        )  # fmt: skip
        records = tuple(
            Record(digest, seed, "state_space_divergence", d, 0.1, "nats", "lower", None)
            for seed, d in enumerate(divergences)
        )
        exponent_record = Record(digest, 0, "diagnosis.lyapunov_exponent_1", 1.0, exponent, "1 / system time", "", None)
        return store.write(Result(experiment, runs, (*records, exponent_record), {"dt": np.array([0.1])}), tmp_path)

    return make


def drawn(results):
    experiments = store.read_all(results)
    drawn = figures.draw_boards(rank(experiments), experiments, results, [ForcingCurve])
    assert not drawn.failures
    return [path.name for path in drawn.files]


def test_a_sweep_over_intervals_is_drawn_into_the_results_directory(publish, tmp_path):
    """tau_pred = ln 2 / (0.1 * 0.1) = 69.3 steps; half of it is rounded to 35."""
    publish(5, [2.0, 1.0], exponent=0.1)
    publish("0.5 tau_pred", [0.5, None])
    publish(100, [None, 3.0])
    publish(5, [1.0], model=LSTM())
    publish(None, [1.0], trainer=BPTT())
    assert drawn(tmp_path) == [f"forcing_curve.{ending}" for ending in ("arrow", "png")]
    (axes,) = figures.redraw(tmp_path / "forcing_curve.arrow").axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["5", "35", "100"]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["rnn", "noise floor: two true orbits", "$\\tau_{pred} = \\ln 2 / \\lambda_1$ = 69.3 steps"]


def test_scores_are_stacked_by_model_and_interval_with_gaps(publish, tmp_path):
    experiments = []
    for interval, scores in ((5, [2.0, 1.0]), (30, [0.5, None]), (100, [4.0])):
        experiments.append(publish(interval, scores))
    for interval in (5, 30, 200):
        experiments.append(publish(interval, [3.0], model=LSTM()))
    (board,) = rank(store.read_all(tmp_path)).boards
    shown = ForcingCurve().arguments(board, [store.read(folder) for folder in experiments])
    assert shown["names"] == ["lstm", "rnn"]
    assert list(shown["intervals"]) == [5, 30, 100, 200]
    assert shown["floor"] == 0.1
    assert shown["tau_pred"] is None
    nan = math.nan
    expected = [[[3, nan], [3, nan], [nan, nan], [3, nan]], [[2, 1], [0.5, math.inf], [4, nan], [nan, nan]]]
    np.testing.assert_array_equal(shown["values"], expected)


def test_curves_of_one_model_are_labelled_with_the_other_settings_of_the_trainer(publish, tmp_path):
    experiments = [publish(tau, [1.0], updates=updates) for updates in (10, 20) for tau in (5, 30, 100)]
    (board,) = rank(store.read_all(tmp_path)).boards
    assert ForcingCurve().arguments(board, [store.read(folder) for folder in experiments])["names"] == [
        "rnn, updates=10",
        "rnn, updates=20",
    ]


def test_a_curve_of_only_two_intervals_is_not_drawn(publish, tmp_path):
    publish(5, [1.0])
    publish(30, [1.0])
    publish("autocorrelation", [1.0])  # stored results do not determine its steps
    assert drawn(tmp_path) == []


def test_each_system_has_its_own_picture(publish, tmp_path):
    for tau in (5, 30, 100):
        publish(tau, [1.0])
        publish(tau, [1.0], system=Henon())
    assert drawn(tmp_path)[::2] == ["forcing_curve-1-henon.arrow", "forcing_curve-2-lorenz63.arrow"]
