"""The review of proposed boards: findings, handed-in methods with ranks and neighbours, and harmless names."""

import json
import re
import shutil
from pathlib import Path

import pytest
from made_submissions import board_with, claimed, foreign, method, written

from chaosbench.boards import lock, publish
from chaosbench.boards.changes import changes
from chaosbench.boards.review import review, to_text
from chaosbench.leaderboard.printed import open_ranks

HOSTILE = "<img src=x onerror=alert(1)> [click](http://evil.example) @everyone #12 | `x`"


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    """Return a folder of boards with one board, of two methods."""
    folder = tmp_path / "present"
    folder.mkdir()
    board_with(tmp_path, [method(one, 7) for one in claimed(seed=1)]).rename(folder / "maps")
    return folder


@pytest.fixture
def proposed(boards: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder, which a test changes."""
    return shutil.copytree(boards, tmp_path / "proposed")


def added(board: Path, experiments, name: str = "theirs") -> str:
    """Add a submission as whoever proposes it does, and return its name."""
    folder = written(board.parent.parent / "packed", experiments, name=name)
    publish.add(board, folder)
    publish.build(board)
    return folder.name


def test_boards_that_did_not_change_are_not_reviewed(boards: Path, proposed: Path):
    assert review(boards, proposed) == []
    assert "No board" in to_text([])


def test_a_new_method_is_shown_with_its_ranks_and_its_neighbours(boards: Path, proposed: Path):
    name = added(proposed / "maps", [method(one, 99) for one in claimed(seed=2)])
    (found,) = review(boards, proposed)
    assert found.findings == ()
    (placed,) = found.changes.placed
    order = list(found.changes.methods)
    at = order.index((placed.model, placed.trainer))
    assert placed.model == "rnn(hidden=99)"
    assert len(order) == 3
    assert placed.above == (order[at - 1] if at else None)
    assert placed.below == (order[at + 1] if at < 2 else None)
    text = to_text([found])
    (line,) = [line for line in text.splitlines() if line.startswith("|") and name in line]
    assert line.startswith(f"| {open_ranks(placed.standing.on_these)} | {open_ranks(placed.standing.on_others)} |")
    assert "**Valid.**" in text


def test_a_method_that_lacks_systems_or_code_has_no_rank_and_the_reason_is_shown(boards: Path, proposed: Path):
    added(proposed / "maps", [method(one, 99) for one in claimed(seed=2)][:2])
    folder = written(proposed.parent / "packed", [method(one, 50) for one in claimed(seed=3)], name="closed", code="")
    publish.add(proposed / "maps", folder)
    publish.build(proposed / "maps")
    text = to_text(review(boards, proposed))
    assert "lacks 1 of 3 systems" in text
    assert "listed" in text


def test_a_known_method_whose_missing_systems_are_handed_in_is_told_from_a_new_one(boards: Path, proposed: Path):
    partial = [method(one, 99) for one in claimed(seed=2)]
    added(boards / "maps", partial[:2])
    shutil.rmtree(proposed)
    shutil.copytree(boards, proposed)
    added(proposed / "maps", [partial[2], *(method(one, 50) for one in claimed(seed=3))], name="rest")
    (found,) = review(boards, proposed)
    assert {one.model: one.known for one in found.changes.placed} == {"rnn(hidden=99)": True, "rnn(hidden=50)": False}
    assert all(one.standing is not None for one in found.changes.placed)
    table = [line.split("|") for line in to_text([found]).splitlines() if line.startswith("|") and "-rest-" in line]
    assert sorted((row[4].strip(), row[8].strip()) for row in table) == [
        ("rnn(hidden=50)", "no"),
        ("rnn(hidden=99)", "yes"),
    ]


def test_findings_are_shown_instead_of_an_error(boards: Path, proposed: Path):
    (proposed / "maps" / publish.LOG).write_text("[" * 10_000)
    (found,) = review(boards, proposed)
    assert "log" in {one.check for one in found.findings}
    assert "Not valid" in to_text([found])


def test_a_board_that_disappears_or_appears_is_shown(boards: Path, proposed: Path):
    (proposed / "maps").rename(proposed / "other")
    gone, new = review(boards, proposed)
    assert [one.check for one in gone.findings] == ["board"]
    assert new.new
    assert new.findings == ()


def test_a_board_whose_name_is_no_name_is_a_finding(boards: Path, proposed: Path):
    shutil.copytree(proposed / "maps", proposed / HOSTILE.replace("/", "_"))
    text = to_text(review(boards, proposed))
    assert "[name]" in text
    assert_harmless(text)


def test_hostile_names_are_text(boards: Path, proposed: Path):
    added(proposed / "maps", [foreign(one, f"{HOSTILE}{n}") for n in "ab" for one in claimed(seed=ord(n))])
    text = to_text(review(boards, proposed))
    assert "onerror" in text
    assert_harmless(text)


def test_a_comment_is_never_longer_than_github_allows(boards: Path, proposed: Path):
    many = [foreign(one, f"hidden={number}, {'x' * 4000}") for number in range(25) for one in claimed(seed=10 + number)]
    added(proposed / "maps", many)
    text = to_text(review(boards, proposed))
    assert len(text) < 65_536
    assert "5 more methods are left out" in text


def test_a_link_in_a_proposal_is_a_finding(boards: Path, proposed: Path, tmp_path: Path):
    (tmp_path / "secret").write_text("secret")
    (submission, *_) = sorted((proposed / "maps" / "submissions").iterdir())
    (submission / "runs.parquet").unlink()
    (submission / "runs.parquet").symlink_to(tmp_path / "secret")
    (found,) = review(boards, proposed)
    assert {"files", "submissions"} <= {one.check for one in found.findings}


def test_the_demands_of_a_board_stay(boards: Path, proposed: Path):
    content = json.loads((proposed / "maps" / lock.FILE).read_text())
    content["boards"][0]["seeds"] = [0]
    (proposed / "maps" / lock.FILE).write_text(json.dumps(content))
    assert changes(boards / "maps", proposed / "maps").demands
    (found,) = review(boards, proposed)
    assert "demands" in {one.check for one in found.findings}


def assert_harmless(text: str) -> None:
    """Check that Markdown has no tag, link, mention or reference that a name brought in."""
    assert "<img" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "http://" not in text
    assert "@everyone" not in text
    assert "#12" not in text
