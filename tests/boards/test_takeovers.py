"""Nobody replaces the runs of others: what was handed in first counts, also beside results that are not published."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_submissions import board_with, chosen, claimed, empty_board, foreign, method, written
from typer.testing import CliRunner

from chaosbench.boards import inside, lock, publish
from chaosbench.boards.validate import validate
from chaosbench.cli import app
from chaosbench.errors import ChaosbenchError
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.submissions import read_submission, write_submission


def ranked(board: Path):
    """Return the ranking of a board."""
    read = publish.all_of(board)
    return publish.ranked(read, publish.levels(board, read))


def later(experiments: list[Stored]) -> list[Stored]:
    """Return experiments that were started after all others."""
    return [
        replace(one, runs=tuple(run | {"started": run["started"].replace(month=3)} for run in one.runs))
        for one in experiments
    ]


def test_runs_of_the_same_method_do_not_replace_those_that_were_handed_in_first(tmp_path: Path):
    board = board_with(tmp_path, [method(one, 7) for one in claimed(seed=1)])
    before = ranked(board)
    publish.add(board, written(tmp_path / "packed", later(claimed(seed=9)), name="aaa"))
    assert ranked(board) == before


def test_a_later_submission_adds_the_systems_that_an_earlier_one_lacks(tmp_path: Path):
    board = empty_board(tmp_path / "board")
    publish.add(board, written(tmp_path / "packed", claimed()[:1], name="mine"))
    publish.add(board, written(tmp_path / "packed", claimed(), name="mine"))
    assert [len(one.entries) for one in ranked(board).boards] == [1, 1, 1]


def test_submissions_are_read_in_the_order_in_which_they_were_added(tmp_path: Path):
    """Names begin with the date that a submitter gives, so that they say nothing about the order."""
    board = empty_board(tmp_path / "board")
    for seed, name in enumerate("cab"):
        own = [method(one, 7 + seed) for one in claimed(seed=seed)]
        publish.add(board, written(tmp_path / "packed", own, name=name))
    assert [one.manifest.name for one in publish.all_of(board)] == ["c", "a", "b"]


def test_a_name_that_was_taken_does_not_hide_a_copy(tmp_path: Path):
    first = read_submission(written(tmp_path, claimed(), name="ours"))
    copied = [foreign(one, "mine") for one in claimed()]
    folder = write_submission(
        tmp_path, copied, name="ours", authors=["S. Omebody"], code="here", saw="nothing", version="0.1.0",
        day=first.manifest.date,
    )  # fmt: skip
    checks = {one.check for one in validate(read_submission(folder), _lock(tmp_path), [first])}
    assert checks == {"copies"}


def test_the_same_numbers_are_not_added_twice(tmp_path: Path):
    board = empty_board(tmp_path / "board")
    publish.add(board, written(tmp_path / "packed", claimed(), name="ours"))
    folder = write_submission(
        tmp_path, claimed(), name="ours", authors=["A. Uthor"], code="here", saw="nothing", version="0.1.0",
        day=publish.all_of(board)[0].manifest.date.replace(day=28),
    )  # fmt: skip
    with pytest.raises(ChaosbenchError, match="exactly the numbers"):
        publish.add(board, folder)


def test_the_best_seed_that_was_copied_to_all_others_is_found(tmp_path: Path):
    def copied(stored: Stored) -> Stored:
        good = [row for row in stored.records if row["seed"] == 0]
        return replace(stored, records=tuple({**row, "seed": seed} for seed in range(5) for row in good))

    folder = written(tmp_path, [copied(one) for one in claimed()])
    assert {one.check for one in validate(read_submission(folder), _lock(tmp_path))} == {"copies"}


def test_a_blank_is_no_code(tmp_path: Path):
    board = empty_board(tmp_path / "board")
    publish.add(board, written(tmp_path / "packed", claimed(), code=" "))
    assert set(publish.levels(board).values()) == {"listed"}


def test_results_are_ranked_inside_a_board_among_the_submissions_that_have_a_rank(tmp_path: Path):
    board = board_with(tmp_path, [method(one, 7) for one in claimed(seed=1)])
    before = ranked(board)
    publish.add(board, written(tmp_path / "packed", [method(one, 9) for one in claimed(seed=2)], name="x", code=""))
    assert inside.ranked_together(board) == before
    assert ranked(board) == before


def test_systems_that_a_board_lacks_do_not_empty_its_ranking(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    mine = [method(one, 9) for one in claimed(seed=3)]
    other = replace(mine[0], sources=("f" * 64, mine[0].sources[1]))
    kept = inside._demanded([*mine, other], [_lock(tmp_path)])
    assert kept == mine
    assert "1 experiment" in caplog.text


def test_a_seed_that_was_run_again_after_a_failure_is_packed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = claimed()[0]
    failed = replace(
        whole,
        runs=tuple(run | {"status": "oom"} if run["seed"] == 3 else run for run in whole.runs),
        records=tuple(row for row in whole.records if row["seed"] != 3),
    )
    again = later([_only(claimed(seed=1)[0], 3)])[0]
    monkeypatch.setattr("chaosbench.leaderboard.store.read_all", lambda _: [failed, again])
    result = CliRunner().invoke(app, ["pack", "x", "--name", "mine", "--author", "A", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "1 run" in result.output
    (folder,) = tmp_path.iterdir()
    assert validate(read_submission(folder), _lock(tmp_path)) == []


def _only(stored: Stored, seed: int) -> Stored:
    """Return one seed of an experiment as another experiment."""
    return chosen(stored, [seed], [seed])


def _lock(tmp_path: Path) -> lock.Lock:
    return lock.read(empty_board(tmp_path / "demands"))
