"""Trials: several of them, of different lengths, with gaps and uneven times; windows never cross a border."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from series_files import logistic, rejection, waves

from chaosbench.data import simulate
from chaosbench.seeds import seed_generator
from chaosbench.series import TimeSeries
from chaosbench.source import DataSpec

LENGTHS = (149, 89, 259)
SMALL = DataSpec(test_length=10, standardise="none")
KNOWN = {"exponent": 0.5, "exponent_source": "the logistic map"}


def pairs(rows, start):
    values = logistic(rows + 1, start=start)
    return np.stack([values[:-1], values[1:]], axis=1)


def follows(windows):
    """Return True for each window (..., T, 2) in which every row is the image of the one before."""
    x, y = windows.unbind(-1)
    return ((3.9 * x[..., :-1] * (1 - x[..., :-1]) - x[..., 1:]).abs() < 1e-3).all(-1) & (
        (y[..., :-1] - x[..., 1:]).abs() < 1e-3
    ).all(-1)


@pytest.fixture
def one_table(tmp_path):
    """A table of three trials of 149, 89 and 259 rows, named by a column."""
    lines = ["trial,x,y"]
    for name, rows, start in zip("abc", LENGTHS, (0.3, 0.42, 0.77), strict=True):
        lines += [f"{name},{x!r},{y!r}" for x, y in pairs(rows, start).tolist()]
    (tmp_path / "trials.csv").write_text("\n".join(lines) + "\n")
    return str(tmp_path / "trials.csv")


def test_a_column_names_the_trials(one_table):
    system = TimeSeries(path=one_table, trial="trial")
    assert tuple(map(len, system.trials())) == LENGTHS
    assert "trial = 'trial'" in rejection(one_table)


def test_files_of_a_folder_a_list_or_a_pattern_are_trials_in_the_order_of_their_numbers(tmp_path):
    for index in (1, 2, 10):
        np.save(tmp_path / f"subject{index}.npy", waves(rows=50 + index))
    (tmp_path / "notes.md").write_text("recorded by hand")
    whole = TimeSeries(path=str(tmp_path))
    assert [len(trial) for trial in whole.trials()] == [51, 52, 60]
    assert "notes.md" in " ".join(whole.describe(SMALL))
    listed = [str(tmp_path / f"subject{index}.npy") for index in (1, 2, 10)]
    for path in (tuple(listed), str(tmp_path / "*.npy")):
        assert [len(trial) for trial in TimeSeries(path=path).trials()] == [51, 52, 60]


def test_a_third_axis_is_a_trial_each_and_whole_trials_are_tested_from_ten_on(tmp_path):
    values = np.stack([pairs(141, start) for start in np.linspace(0.2, 0.7, 12)]).astype(np.float32)
    np.save(tmp_path / "trials.npy", values)
    system = TimeSeries(path=str(tmp_path / "trials.npy"))
    assert len(system.trials()) == 12
    splits = system.splits()
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [8, 2, 2]
    assert np.array_equal(splits.test[-1], values[-1])
    by_time = system.replaced(split="time").splits()
    assert {len(stretch) for stretch in by_time.train} == {round(0.7 * 141)}
    np.save(tmp_path / "other.npy", np.moveaxis(values, 0, 2))
    turned = TimeSeries(path=str(tmp_path / "other.npy"), axes="TDN")
    assert np.array_equal(turned.read(), system.read())


def test_no_window_crosses_the_border_of_a_trial(one_table):
    """Every row of a window is the image of the one before under the map; the rows around a border are not."""
    system = TimeSeries(path=one_table, trial="trial", **KNOWN)
    data = simulate(system, SMALL)
    assert not follows(system.read()[140:160])
    windows = data.windows(500, 20, [seed_generator(0, "windows")])
    assert follows(windows).all()
    assert follows(data.test).all()
    assert follows(data.validation).all()


def test_every_row_of_a_long_enough_stretch_is_trained_on(one_table):
    system = TimeSeries(path=one_table, trial="trial", **KNOWN)
    trained = {tuple(row) for row in simulate(system, SMALL).train.flatten(0, 1).tolist()}
    assert trained == {tuple(row) for stretch in system.splits().train for row in stretch.tolist()}


def test_separate_files_are_for_training_and_for_testing(tmp_path):
    for name, start in (("train", 0.3), ("test", 0.6)):
        np.save(tmp_path / f"{name}.npy", pairs(300, start))
    system = TimeSeries(path=str(tmp_path / "train.npy"), test_path=str(tmp_path / "test.npy"), **KNOWN)
    splits = system.splits()
    assert np.array_equal(splits.test[0], pairs(300, 0.6))
    assert len(splits.train[0]) + len(splits.validation[0]) == 300
    np.save(tmp_path / "test.npy", pairs(300, 0.61))
    assert TimeSeries(path=system.path, test_path=system.test_path, **KNOWN).digest() != system.digest()


def test_gaps_divide_a_trial_and_are_counted(tmp_path):
    """Three gaps of a single column: empty lines, and NaN."""
    cells = [repr(value) for value in logistic(400).tolist()]
    cells[50] = cells[51] = cells[52] = ""
    cells[200], cells[300] = "nan", "NA"
    (tmp_path / "gaps.csv").write_text("x\n" + "\n".join(cells) + "\n")
    system = TimeSeries(path=str(tmp_path / "gaps.csv"), **KNOWN)
    said = " ".join(system.describe(SMALL))
    assert "3 gaps" in said
    assert "5 rows" in said
    assert [len(part) for part in system.splits().train] == [50, 147, 79]
    train = simulate(system, SMALL).train[..., 0]
    assert torch.allclose(3.9 * train[:, :-1] * (1 - train[:, :-1]), train[:, 1:])


def test_times_that_leave_out_whole_steps_are_gaps(tmp_path):
    times = [0.5 * step for step in range(300) if step not in (100, 101, 170)]
    rows = [f"{time},{math:.6f}" for time, math in zip(times, logistic(len(times)).tolist(), strict=True)]
    (tmp_path / "a.csv").write_text("time,x\n" + "\n".join(rows) + "\n")
    system = TimeSeries(path=str(tmp_path / "a.csv"), time="time")
    assert system.dt == 0.5
    assert system.recorded().gaps == 2
    assert len(system.trials()[0]) == 300


def test_uneven_times_are_refused_with_their_places_and_interpolated_on_demand(tmp_path):
    """Linear interpolation is exact for a straight line."""
    times = np.cumsum(np.random.default_rng(0).uniform(0.9, 1.1, 300))
    rows = [f"{time!r},{2 * time + 1!r},{float(np.sin(time))!r}" for time in times.tolist()]
    (tmp_path / "a.csv").write_text("time,x,y\n" + "\n".join(rows) + "\n")
    path = str(tmp_path / "a.csv")
    message = rejection(path, time="time")
    assert "row 0 to 1" in message
    assert "interpolate" in message
    system = TimeSeries(path=path, time="time", interpolate=0.5)
    assert system.dt == 0.5
    line = system.trials()[0][:, 0]
    assert np.allclose(line, 2 * (times[0] + 0.5 * np.arange(len(line))) + 1)
    with pytest.raises(ValidationError, match="time"):
        TimeSeries(path=path, interpolate=0.5)


def test_nothing_is_interpolated_across_a_hole(tmp_path):
    times = np.concatenate([np.arange(150.0), 200 + np.arange(150.0)])
    times += 0.1 * np.sin(times)
    rows = [f"{time!r},{value!r}" for time, value in zip(times.tolist(), logistic(300).tolist(), strict=True)]
    (tmp_path / "a.csv").write_text("time,x\n" + "\n".join(rows) + "\n")
    assert TimeSeries(path=str(tmp_path / "a.csv"), time="time", interpolate=1.0).recorded().gaps == 1


def test_files_with_other_columns_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "0.1,0.2\n0.2,0.3\n" * 100)
    (tmp_path / "b.csv").write_text("x,z\n" + "0.1,0.2\n0.2,0.3\n" * 100)
    assert "x, z" in rejection(tmp_path)
