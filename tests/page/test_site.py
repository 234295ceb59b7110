"""The index of several boards: what it lists, what it links to, and that a hostile board only adds text."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_submissions import board_with, claimed, method

from chaosbench.boards import publish
from chaosbench.errors import ChaosbenchError
from chaosbench.page import is_site, write_page, write_site

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    """Return a folder with a board that has a page, and a folder that is no board."""
    folder = tmp_path / "boards"
    (folder / "tables").mkdir(parents=True)
    board = board_with(tmp_path, [method(one, 7) for one in claimed(seed=1)]).rename(folder / "maps")
    (board / "suite.toml").write_text(f'suite = "maps"\ndescription = "{HOSTILE}"\n')
    write_page(board, board / "board.html")
    return folder


def elements(markup: str) -> list[tuple[str, dict[str, str | None]]]:
    """Return the elements of a page with their attributes."""
    found: list[tuple[str, dict[str, str | None]]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))
    parser.feed(markup)
    return found


def test_the_index_lists_each_board_with_links_to_what_exists(boards: Path, tmp_path: Path):
    text = write_site(boards, tmp_path / "index.html").read_text()
    links = [attributes["href"] for tag, attributes in elements(text) if tag == "a"]
    files = [link for link in links if not link.startswith("#")]
    assert files == [f"boards/maps/{name}" for name in ("board.html", "board.parquet", "board.csv", "suite.toml")]
    assert all((tmp_path / link).is_file() for link in files)
    (row,) = re.findall(r"<tr><td>.*</tr>", text)
    assert re.findall(r'"number">(\d+)<', row) == ["3", "2", "2", "30"], "systems, methods, submissions, runs"
    assert publish.last_change(boards / "maps").strftime("%Y-%m-%d") in row


def test_a_hostile_board_adds_text_and_no_element(boards: Path, tmp_path: Path):
    evil = shutil.copytree(boards / "maps", boards / f'{HOSTILE.replace("/", "")} "onmouseover=x')
    (evil / publish.LOG).write_text(HOSTILE)
    found = elements(write_site(boards, tmp_path / "index.html").read_text())
    assert {tag for tag, _ in found}.isdisjoint({"img", "script", "iframe", "object", "form"})
    assert not any(name.startswith("on") for _, attributes in found for name in attributes)
    (policy,) = [one["content"] for tag, one in found if one.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_a_board_that_cannot_be_read_is_listed_with_the_reason(boards: Path, tmp_path: Path):
    (boards / "broken").mkdir()
    (boards / "broken" / "suite.lock.json").write_text("{")
    text = write_site(boards, tmp_path / "index.html").read_text()
    assert "cannot be read" in text
    assert "maps" in text


def test_folders_of_boards_are_told_from_boards(boards: Path, tmp_path: Path):
    assert is_site(boards)
    assert not is_site(boards / "maps")
    assert not is_site(tmp_path)
    with pytest.raises(ChaosbenchError, match="leaderboard new"):
        write_site(tmp_path, tmp_path / "index.html")


def test_the_index_is_the_same_twice(boards: Path, tmp_path: Path):
    first = write_site(boards, tmp_path / "index.html").read_bytes()
    assert write_site(boards, tmp_path / "index.html").read_bytes() == first
