"""Export, forecast and score on the command line."""

import json

import numpy as np
import pytest
from small_experiment import small

from chaosbench.leaderboard import store
from chaosbench.run import run_experiment
from chaosbench.trajectories import read_trajectories, write_trajectories


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    store.write(run_experiment(small()), folder)
    return folder


def test_a_forecast_is_written_in_the_units_of_the_data(call, results, tmp_path):
    write_trajectories(tmp_path / "history.npy", np.zeros((1, 10, 2)), dt=1.0)
    code, out, _ = call("forecast", results, "henon", "--steps", 7, "-o", tmp_path / "a.csv", "--seed", 1)
    assert code == 0
    assert "a.csv" in out
    rows = np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=1)
    assert rows.shape == (4 * 7, 4)  # trajectory, time, two observables
    words = ("--history", tmp_path / "history.npy", "-o", tmp_path / "b.npy")
    assert call("forecast", results, "shallow_plrnn", "--steps", 5, *words)[0] == 0
    assert np.load(tmp_path / "b.npy").shape == (5, 2)


def test_exported_files_are_scored_into_the_table_of_the_experiment(call, results, tmp_path):
    assert call("export", results, "henon", tmp_path)[0] == 0
    write_trajectories(tmp_path / "mine.npy", read_trajectories(str(tmp_path / "truth.npy"))[::-1], dt=1.0)
    words = (tmp_path / "mine.npy", tmp_path / "truth.npy", "--into", results, "--label", "my model", "--json")
    code, out, _ = call("score", *words)
    assert code == 0
    (board,) = json.loads(out)["boards"]
    assert [entry["model"] for entry in board["entries"]] == ["my model", "shallow_plrnn(hidden=6)"]
    assert board["entries"][0]["parameters"] is None
    assert "not given" in call("rank", results, "--format", "markdown")[1]
    code, out, _ = call("rank", results)
    assert "my model" in out
    assert call("explain", results)[0] == 0
    assert list(results.glob("my-model*/*.png"))


def test_files_alone_make_a_table(call, tmp_path):
    draw = np.random.default_rng(0).normal
    for name in ("one", "two", "truth"):
        write_trajectories(tmp_path / f"{name}.csv", draw(size=(300, 1)), dt=0.1)
    names = [tmp_path / f"{name}.csv" for name in ("one", "two", "truth")]
    code, out, _ = call("score", *names)
    assert code == 0
    assert "one" in out
    assert "largest_exponent_error" in out
    _, out, _ = call("score", *names, "--parameters", 7, "--parameters", 8, "--json")
    assert {entry["model"]: entry["parameters"] for entry in json.loads(out)["boards"][0]["entries"]} == {
        "one": 7,
        "two": 8,
    }
    code, _, err = call("score", *names, "--parameters", 7)
    assert (code, err.count("\n")) == (2, 1)
    code, _, err = call("score", *names, "--forecasts", names[0])
    assert (code, err.count("\n")) == (2, 1)
