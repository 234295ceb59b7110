"""`leaderboard verify --rescore` computes the scores of a submission again from stored weights, within seconds."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from small_experiment import small

from chaosbench.boards import demands, lock, publish
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import sha256
from chaosbench.leaderboard.submissions import write_submission
from chaosbench.run import run_experiment

SEEDS = (0, 1, 2, 3, 4)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the results of an experiment, weights included."""
    folder = tmp_path_factory.mktemp("results")
    store.write(run_experiment(small().replaced(seeds=SEEDS)), folder)
    return folder


def board_of(folder: Path, results: Path, *, edited: int = 0) -> Path:
    """Make a board with these results, in which the errors of the first seeds are halved."""
    (folder / "submissions").mkdir(parents=True)
    lock.write(demands.make([small().replaced(seeds=SEEDS)]), folder)
    publish.log(folder, "new", "small", sha256(folder / lock.FILE))
    (stored,) = store.read_all(results)
    records = tuple(
        {**row, "value": row["value"] / 2}
        if row["name"].startswith("prediction_error") and row["seed"] < edited and row["update"] is None
        else row
        for row in stored.records
    )
    packed = write_submission(
        folder.parent / "packed", [replace(stored, records=records)], name="ours", authors=(), code="here",
        saw="nothing", version="0.1.0", day=date(2026, 11, 28),
    )  # fmt: skip
    publish.add(folder, packed)
    return folder


def test_honest_scores_come_out_again_from_the_weights(call, results: Path, tmp_path: Path):
    board = board_of(tmp_path / "board", results)
    code, out, err = call("leaderboard", "verify", board, "--rescore", results, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["level"], found["holds"], found["identical"], found["suspected"]) == ("re-scored", True, 1.0, [])
    assert set(publish.levels(board).values()) == {"re-scored"}


def test_an_edited_run_is_named(call, results: Path, tmp_path: Path):
    board = board_of(tmp_path / "board", results, edited=1)
    code, out, _ = call("leaderboard", "verify", board, "--rescore", results)
    assert code == 0
    assert "perhaps edited" in out
    assert "seed 0: prediction error" in out
    assert "seed 1: prediction error" not in out


def test_weights_of_other_experiments_are_no_verification(call, results: Path, tmp_path: Path):
    board = board_of(tmp_path / "board", results)
    store.write(run_experiment(small(noise=0.1).replaced(seeds=(0,))), tmp_path / "other")
    code, _, err = call("leaderboard", "verify", board, "--rescore", tmp_path / "other")
    assert code == 2
    assert "no experiment" in err
