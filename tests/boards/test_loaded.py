"""A board in a notebook: found by name or path, ranked like the published one, shown with every name escaped."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq
import pytest
from made_submissions import board_with, claimed, foreign, method

import chaosbench
from chaosbench.boards import publish
from chaosbench.errors import ChaosbenchError
from chaosbench.leaderboard.overall import overall

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Return a board of two submissions, which are two methods on three systems."""
    return board_with(tmp_path, [method(one, 7) for one in claimed(seed=1)])


def test_a_board_is_found_by_its_name_and_by_its_path(board: Path, monkeypatch):
    (board.parent / "leaderboards").mkdir()
    board.rename(board.parent / "leaderboards" / "mine")
    monkeypatch.chdir(board.parent)
    by_name, by_path = chaosbench.load_board("mine"), chaosbench.load_board(board.parent / "leaderboards" / "mine")
    assert by_name.rows() == by_path.rows()
    with pytest.raises(ChaosbenchError, match="did you mean 'mine'"):
        chaosbench.load_board("mien")


def test_a_loaded_board_has_the_ranking_and_the_rows_of_its_files(board: Path):
    loaded = chaosbench.load_board(board)
    expected = publish.ranked(publish.all_of(board), publish.levels(board))
    assert loaded.rank() == expected
    assert loaded.overall() == overall(expected)
    frame = loaded.to_pandas()
    written = pq.read_table(board / "board.parquet").to_pandas()
    assert frame.equals(written)
    with pytest.raises(ChaosbenchError, match="'beauty'"):
        loaded.overall("beauty")


def test_polars_gets_the_arrow_table(board: Path, monkeypatch):
    stand_in = ModuleType("polars")
    stand_in.DataFrame, stand_in.from_arrow = dict, lambda table: dict(table.to_pydict())
    monkeypatch.setitem(sys.modules, "polars", stand_in)
    assert chaosbench.load_board(board).to_polars() == pq.read_table(board / "board.parquet").to_pydict()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_missing_library_is_named_in_one_line(board: Path, monkeypatch, library: str):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ChaosbenchError, match=f"pip install {library}"):
        getattr(chaosbench.load_board(board), f"to_{library}")()


def test_a_notebook_shows_the_ranking_and_escapes_every_name(tmp_path: Path):
    named = [foreign(one, f"{HOSTILE}{n}") for n in "ab" for one in claimed(seed=ord(n))]
    shown = chaosbench.load_board(board_with(tmp_path, named))._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert shown.count("<table>") == shown.count("</table>") == 2
    assert "wins [%]" in shown


def test_a_changed_board_is_not_loaded(board: Path):
    (board / "log.jsonl").unlink()
    with pytest.raises(ChaosbenchError, match="not in the log"):
        chaosbench.load_board(board)


def test_loading_and_ranking_a_board_imports_no_torch(board: Path):
    code = (
        f"import sys, chaosbench; chaosbench.load_board({str(board)!r}).rank()\n"
        "assert not {'torch', 'polars'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
