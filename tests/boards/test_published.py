"""The boards that come with the repository are valid: their logs, submissions and tables fit together."""

from dataclasses import replace
from pathlib import Path

import pytest

from chaosbench.boards import lock
from chaosbench.boards.check import check
from chaosbench.boards.consistency import consistent
from chaosbench.leaderboard.submissions import read_submission, submissions

BOARDS = sorted(path.parent for path in (Path(__file__).parents[2] / "leaderboards").glob(f"*/{lock.FILE}"))


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.name)
def test_a_published_board_is_valid(board: Path):
    assert check(board) == []


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_forecast_score_lies_between_those_of_single_orbits(factor: float):
    """It is an average over all orbits."""
    board = next(path for path in BOARDS if path.name == "theory")
    stored = read_submission(next(iter(submissions(board)))).experiments[0]
    demand = lock.read(board).find(" ".join(stored.sources), stored.board.evaluation)
    assert demand is not None
    assert list(consistent(stored, demand)) == []
    records = tuple(
        {**row, "value": factor * row["value"]} if row["name"] == "prediction_error" and row["seed"] == 0 else row
        for row in stored.records
    )
    (finding,) = consistent(replace(stored, records=records), demand)
    assert "prediction_error" in finding.what
