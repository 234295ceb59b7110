"""Identity is content: a series is its numbers, whatever its file is called and wherever it lies."""

from datetime import UTC, datetime

import numpy as np
import pytest
from series_files import logistic

from chaosbench import registry, suite
from chaosbench.errors import DataError
from chaosbench.execution import missing
from chaosbench.experiment import Record, Result, Run
from chaosbench.leaderboard import store
from chaosbench.leaderboard.rank import rank
from chaosbench.series import TimeSeries

SUITE = """
suite = "mine"
metrics = ["state_space_divergence"]
[[systems]]
kind = "timeseries"
path = "a/series.npy"
[[systems]]
kind = "timeseries"
path = "b/series.npy"
[[models]]
kind = "rnn"
[[trainers]]
kind = "bptt"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with two files of one name and a suite of both."""
    for name, r in (("a", 3.9), ("b", 3.6)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "series.npy", logistic(600, r=r))
    (tmp_path / "suite.toml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def experiments():
    return suite.load("suite.toml", registry.load())


def publish(results, experiment, value):
    """Store a result with this score and no training."""
    run = Run.of(experiment, 0, "ok", "", started=datetime(2026, 1, 2, tzinfo=UTC))
    record = Record(experiment.digest(), 0, "state_space_divergence", value, 0.1, "nats", "lower", None)
    store.write(Result(experiment, (run,), (record,)), results)


def test_two_files_of_one_name_are_two_systems(folder):
    """The exponents are those of the logistic map at r = 3.9 and r = 3.6: 0.496 and 0.183 per step."""
    first, second = experiments()
    assert first.system.label != second.system.label
    assert first.identity != second.identity
    for experiment, exponent in ((first, 0.496), (second, 0.183)):
        curve = experiment.system.separation()
        assert curve.verdict == "chaotic"
        assert abs(curve.exponent - exponent) < curve.interval
    for experiment, value in ((first, 1.0), (second, 2.0)):
        publish(folder / "results", experiment, value)
    boards = rank(store.read_all(folder / "results")).boards
    assert sorted(board.entries[0].scores[0].median for board in boards) == [1.0, 2.0]


def test_a_file_overwritten_with_other_data_runs_again(folder):
    old = experiments()
    for experiment in old:
        publish(folder / "results", experiment, 1.0)
    stored = store.read_all(folder / "results")
    assert missing(experiments(), stored) == []
    np.save(folder / "a" / "series.npy", logistic(600, r=3.8))
    again = missing(experiments(), stored)
    assert [experiment.system.path for experiment in again] == ["a/series.npy"]
    assert again[0].digest() != old[0].digest()
    with pytest.raises(DataError, match="has changed"):
        old[0].system.read()


def test_moving_a_file_or_calling_it_by_another_path_changes_nothing(folder):
    old = experiments()[0]
    (folder / "a").rename(folder / "moved")
    for path in ("moved/series.npy", "./moved/../moved/series.npy", str(folder / "moved" / "series.npy")):
        system = TimeSeries(path=path, source="me", licence="CC0")
        assert system.digest() == old.system.digest()
        assert system.label == old.system.label
        assert old.replaced(system=system).identity == old.identity


def test_labels_write_numbers_in_full(folder):
    system = TimeSeries(path="a/series.npy", dt=0.123456789012, gap=3)
    assert "dt=0.123456789012" in system.label


def test_boards_are_told_apart_by_content_where_labels_are_equal(folder):
    """Labels hold eight digits of the checksum; here both are made equal by hand."""
    first, second = experiments()
    for experiment, value in ((first, 1.0), (second, 2.0)):
        publish(folder / "results", experiment, value)
    stored = store.read_all(folder / "results")
    for other in stored:
        other.runs[0]["system"] = "timeseries(series)"
    assert len(rank(stored).boards) == 2
