"""The page of a board: nothing is loaded, hostile names stay text, and a browser shows what the tables say."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_submissions import LOCK, claimed, empty_board, written

from chaosbench.boards import lock, publish
from chaosbench.page import write_page

HOSTILE = "</script><img src=x onerror=\"document.title='taken'\">{{program}}"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def made(tmp_path: Path, *, message: str = "") -> Path:
    """Return the page of a board with one submission, whose runs say this."""
    board = tmp_path / "board"
    (board / "submissions").mkdir(parents=True)
    lock.write(LOCK, board)
    status = {"message": message, "status": "diverged"} if message else {}
    experiments = [replace(one, runs=tuple(run | status for run in one.runs)) for one in claimed()]
    publish.add(board, written(tmp_path, experiments, code=message[:400] or "here"))
    publish.build(board)
    return write_page(board, tmp_path / "board.html")


def block(text: str, name: str) -> str:
    """Return the content of a block of data."""
    found = re.search(rf'<script type="[^"]+" id="{name}">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return found[1]


def dom(page: Path) -> str:
    """Return the document as a browser without a screen has built it."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def test_the_page_loads_nothing(tmp_path: Path):
    text = made(tmp_path).read_text()
    markup = re.sub(r"<script.*?</script>|<style.*?</style>", "", text, flags=re.DOTALL)
    assert re.findall(r"\b(?:src|action|data|poster)=", markup) == []
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', markup))
    assert "@import" not in text
    assert "url(" not in text


def test_the_policy_admits_the_programs_of_the_page_and_nothing_else(tmp_path: Path):
    text = made(tmp_path).read_text()
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
    program = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert len(program) == len(style) == 1
    for name, content in (("script-src", program[0]), ("style-src", style[0])):
        own = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name} 'sha256-{own}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_page_holds_the_table_of_the_board(tmp_path: Path):
    text = made(tmp_path).read_text()
    inside = pq.read_table(pa.BufferReader(base64.b64decode(block(text, "parquet"))))
    assert inside.to_pylist() == pq.read_table(tmp_path / "board" / "board.parquet").to_pylist()


def test_metrics_have_units_and_directions_although_the_first_method_failed(tmp_path: Path):
    board = empty_board(tmp_path / "board")
    first, *rest = claimed()
    failed = replace(first, runs=tuple(run | {"status": "failed"} for run in first.runs), records=())
    publish.add(board, written(tmp_path, [failed, *rest]))
    content = json.loads(block(write_page(board, tmp_path / "board.html").read_text(), "content"))
    assert content["units"]["state_space_divergence"] == "nats"
    assert set(content["better"]) == set(content["metrics"])


def test_a_hostile_name_stays_text(tmp_path: Path):
    text = made(tmp_path, message=HOSTILE).read_text()
    assert "<img" not in text
    assert HOSTILE in json.loads(block(text, "content"))["submissions"][0]["code"]


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_a_browser_shows_every_method_and_system(tmp_path: Path):
    shown = dom(made(tmp_path))
    assert "data-ready" in shown
    assert "3 methods on systems, 15 runs" in shown
    assert re.search(r'id="failure"[^>]*hidden', shown)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_a_hostile_name_executes_nothing_in_a_browser(tmp_path: Path):
    shown = dom(made(tmp_path, message=HOSTILE))
    assert "<title>maps: chaosbench leaderboard</title>" in shown
    assert not re.search(r"<img\b", re.sub(r"<script.*?</script>", "", shown, flags=re.DOTALL))
    assert "data-ready" in shown


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_a_damaged_table_is_told_and_the_ranking_stays(tmp_path: Path):
    page = made(tmp_path)
    text = page.read_text()
    page.write_text(text.replace(block(text, "parquet"), block(text, "parquet")[:400]))
    shown = dom(page)
    assert re.search(r'id="failure"[^>]*>The table of runs in this page is damaged', shown)
    assert "1 submission" in shown
