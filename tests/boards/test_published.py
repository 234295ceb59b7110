"""The boards that come with the repository are valid: their logs, submissions and tables fit together."""

from pathlib import Path

import pytest

from chaosbench.boards import lock
from chaosbench.boards.check import check

BOARDS = sorted(path.parent for path in (Path(__file__).parents[2] / "leaderboards").glob(f"*/{lock.FILE}"))


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.name)
def test_a_published_board_is_valid(board: Path):
    assert check(board) == []
