"""A whole board is checked, and a new state of it may only add submissions."""

import json
import shutil
from pathlib import Path

import pytest
from made_submissions import board_with, claimed, method, written

from chaosbench.boards import lock, publish
from chaosbench.boards.check import changed, check


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Return a board with one submission."""
    return board_with(tmp_path)


@pytest.fixture
def later(board: Path, tmp_path: Path) -> Path:
    """Return a later state of the board, with another submission."""
    copy = shutil.copytree(board, tmp_path / "later")
    publish.add(copy, written(tmp_path / "packed", [method(one, 7) for one in claimed(seed=1)], name="theirs"))
    publish.build(copy)
    return copy


def checks(findings) -> set[str]:
    return {finding.check for finding in findings}


def test_a_board_as_it_is_made_has_no_findings(board: Path, later: Path):
    assert check(board) == check(later) == []
    assert list(changed(later, board)) == []
    assert list(changed(board, board)) == []


def test_tables_that_were_not_built_again_are_found(board: Path, later: Path):
    shutil.copyfile(board / publish.PARQUET, later / publish.PARQUET)
    assert checks(check(later)) == {"tables"}
    assert check(later, tables=False) == []


def test_numbers_that_were_edited_in_the_csv_are_found(board: Path):
    text = (board / publish.CSV).read_text()
    (board / publish.CSV).write_text(text.replace(",ok,", ",diverged,", 1))
    assert checks(check(board)) == {"tables"}


@pytest.mark.parametrize("name", ["board.html", "README.md"])
def test_a_proposal_does_not_bring_a_page_of_its_own(board: Path, later: Path, name: str):
    (later / name).write_text("<script>")
    assert checks(changed(later, board)) == {"files"}


def test_demands_that_were_eased_are_found(board: Path, later: Path):
    content = json.loads((later / lock.FILE).read_text())
    for demand in content["boards"]:
        demand["seeds"] = demand["seeds"][:2]
    (later / lock.FILE).write_text(json.dumps(content))
    assert "demands" in checks(changed(later, board))
    assert {"log", "seeds"} <= checks(check(later))


def test_a_submission_that_was_removed_or_replaced_is_found(board: Path, later: Path):
    (first,) = (board / "submissions").iterdir()
    (later / "submissions" / first.name / "manifest.toml").write_text("changed")
    assert "submissions" in checks(changed(later, board))
    shutil.rmtree(later / "submissions" / first.name)
    assert "submissions" in checks(changed(later, board))
    assert "log" in checks(check(later))


def test_a_log_that_was_written_anew_is_found(board: Path, later: Path):
    """The chain of a log that is written anew holds, so that only the earlier state shows it."""
    (later / publish.LOG).unlink()
    publish.log(later, "new", "maps", publish.sha256(later / lock.FILE))
    for one in publish.all_of(later):
        publish.log(later, "add", one.folder.name, one.digest)
    assert check(later) == []
    lines = (later / publish.LOG).read_text().replace("2026", "2025")
    (later / publish.LOG).write_text(lines)
    assert "log" in checks(changed(later, board))


@pytest.mark.parametrize("logged", [True, False])
def test_a_verification_that_a_submitter_adds_is_found(board: Path, later: Path, logged: bool):
    name = sorted(path.name for path in (later / "submissions").iterdir())[-1]
    content = {"date": "2026-11-28", "submission": name, "level": "bitwise", "holds": True}
    if logged:
        publish.write_verification(later, content)
    else:
        (later / publish.VERIFICATIONS).mkdir(exist_ok=True)
        (later / publish.VERIFICATIONS / "mine.json").write_text(json.dumps(content))
    assert "verifications" in checks(changed(later, board))
    assert logged or "log" in checks(check(later))


@pytest.mark.parametrize("name", [lock.FILE, publish.LOG, publish.PARQUET])
@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"[]", b"{}", b'{"previous": ""}', b"[" * 100_000])
def test_damaged_files_are_findings_and_never_errors(board: Path, name: str, content: bytes):
    (board / name).write_bytes(content)
    assert check(board)
    list(changed(board, board))
