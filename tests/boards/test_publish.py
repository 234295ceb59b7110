"""The folder of a board: added once and whole, logged in a chain, built into tables that others read."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from made_submissions import EXPERIMENTS, LOCK, SEEDS, claimed, empty_board, written

from chaosbench.boards import demands, lock, publish
from chaosbench.data import DataSpec
from chaosbench.errors import ChaosbenchError
from chaosbench.leaderboard import store
from chaosbench.leaderboard.rank import rank


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Return the folder of a board without submissions."""
    return empty_board(tmp_path / "board")


def test_demands_are_read_as_they_were_written(board: Path):
    assert lock.read(board) == LOCK


def test_the_time_per_step_of_a_demand_is_that_of_the_data():
    experiment = EXPERIMENTS[0].replaced(data=DataSpec(stride=3))
    assert demands.make([experiment]).boards[0].dt == 3 * experiment.system.dt


def test_a_submission_is_added_once_and_built_into_a_row_per_run(board: Path, tmp_path: Path):
    folder = written(tmp_path, claimed())
    added = publish.add(board, folder)
    assert publish.build(board) == 3 * len(SEEDS)
    table = pq.read_table(board / "board.parquet")
    first = table.to_pylist()[0]
    scores = {row["name"]: row["value"] for row in added.experiments[0].records if row["seed"] == first["seed"]}
    assert first["state_space_divergence"] == scores["state_space_divergence"]
    assert table.schema.field("state_space_divergence").metadata[b"description"]
    with pytest.raises(ChaosbenchError, match="already"):
        publish.add(board, folder)


def test_a_board_is_ranked_like_the_results_it_was_made_from(board: Path, tmp_path: Path):
    publish.add(board, written(tmp_path, claimed()))
    own, published = rank(claimed()), rank(store.read_all(board))
    assert [entry.scores for one in published.boards for entry in one.entries] == [
        entry.scores for one in own.boards for entry in one.entries
    ]


def test_an_invalid_submission_is_refused_and_nothing_is_left(board: Path, tmp_path: Path):
    with pytest.raises(ChaosbenchError, match="seeds"):
        publish.add(board, written(tmp_path, claimed(seeds=(0, 1))))
    assert list((board / "submissions").iterdir()) == []
    assert len(publish.read_log(board)) == 1


def test_a_submission_without_code_is_listed_and_not_ranked(board: Path, tmp_path: Path):
    publish.add(board, written(tmp_path, claimed(), code=""))
    assert set(publish.levels(board).values()) == {"listed"}


def test_a_verification_raises_the_level_and_a_failed_one_refutes(board: Path, tmp_path: Path):
    name = publish.add(board, written(tmp_path, claimed())).folder.name
    content = {"date": "2026-11-27", "submission": name, "level": "re-run", "holds": True}
    publish.write_verification(board, content)
    assert publish.levels(board) == {name: "re-run"}
    publish.write_verification(board, content | {"level": "re-scored"})
    assert publish.levels(board) == {name: "re-run"}, "a lower level does not undo a higher one"
    publish.write_verification(board, content | {"holds": False})
    assert publish.levels(board) == {name: "refuted"}


def test_a_changed_log_is_found(board: Path, tmp_path: Path):
    publish.add(board, written(tmp_path, claimed()))
    lines = (board / "log.jsonl").read_text().splitlines()
    first = json.loads(lines[0]) | {"subject": "another"}
    (board / "log.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
    with pytest.raises(ChaosbenchError, match="line 2"):
        publish.read_log(board)


def test_a_submission_that_disappears_or_appears_is_found(board: Path, tmp_path: Path):
    name = publish.add(board, written(tmp_path, claimed())).folder.name
    publish.check_log(board)
    shutil.move(board / "submissions" / name, tmp_path / "away" / name)
    with pytest.raises(ChaosbenchError, match="is gone"):
        publish.check_log(board)
    shutil.move(tmp_path / "away" / name, board / "submissions" / name)
    shutil.copytree(written(tmp_path, claimed(seed=1), name="sneaked"), board / "submissions" / "2026-11-27-x")
    with pytest.raises(ChaosbenchError, match="not in the log"):
        publish.check_log(board)


def test_a_cell_that_a_spreadsheet_would_execute_is_made_a_text(board: Path, tmp_path: Path):
    message = {"message": "=HYPERLINK(1)", "status": "diverged"}
    dangerous = [replace(one, runs=tuple(run | message for run in one.runs)) for one in claimed()]
    publish.add(board, written(tmp_path, dangerous))
    publish.build(board)
    text = (board / "board.csv").read_text()
    assert "'=HYPERLINK(1)" in text
    assert ",=HYPERLINK" not in text


def test_a_folder_that_is_no_board_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(ChaosbenchError, match="leaderboard new"):
        publish.all_of(tmp_path)
