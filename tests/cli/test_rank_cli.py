"""Ranking over systems and comparing methods from the command line, on results that come with the repository."""

import json
from datetime import date
from pathlib import Path

import pytest

from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.submissions import write_submission

BOARDS = object()  # stands for the results of the fixture
PUBLISHED = Path(__file__).parents[2] / "leaderboards" / "forcing-interval"


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    """Return a board of two networks with several forcing intervals on two systems, part of a published one."""
    published = [
        one
        for one in store.read_all(PUBLISHED)
        if one.runs[0]["system"] in ("rossler", "thomas")
        and one.experiment["model"]["kind"] in ("lstm", "shallow_plrnn")
    ]
    return board_of(tmp_path / "board", published[::2])


def board_of(board: Path, experiments: list[Stored]) -> Path:
    """Write a board with one submission."""
    write_submission(
        board / "submissions", experiments, name="some", authors=(), code="here", saw="nothing", version="0.1.0",
        day=date(2026, 1, 2),
    )  # fmt: skip
    return board


def over_systems(call, *words: object) -> dict:
    code, out, err = call("rank", *words, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)["overall"]


def test_a_ranking_has_a_part_over_systems(call, boards: Path):
    found = over_systems(call, boards)
    wins = [one["wins"] for one in found["standings"]]
    assert wins == sorted(wins, reverse=True)
    assert sum(wins) == pytest.approx(len(wins) / 2), "every win is another method's loss"
    assert len(found["boards"]) >= 2
    code, out, _ = call("rank", boards)
    assert code == 0
    assert "over systems" in out


def test_results_are_ranked_together_with_others(call, boards: Path, tmp_path: Path):
    stored = store.read_all(boards)
    for part in (0, 1):
        board_of(tmp_path / f"part{part}", stored[part::2])
    assert over_systems(call, tmp_path / "part0", "--with", tmp_path / "part1") == over_systems(call, boards)


def test_two_methods_are_compared_by_their_labels(call, boards: Path):
    names = [f"{one['trainer']} on {one['model']}" for one in over_systems(call, boards)["standings"][:2]]
    code, out, err = call("compare", boards, *names, "--json")
    assert (code, err) == (0, "")
    assert 0 <= json.loads(out)["probability"] <= 1
    code, out, err = call("compare", boards, *names)
    assert (code, err) == (0, "")
    assert "A beats B" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compare", BOARDS, "nothing", "lstm"], "no method"),
        (["compare", BOARDS, "shallow_plrnn 0.4", "rnn 0.4", "--metric", "beauty"], "'beauty'"),
        (["rank", BOARDS, "--metric", "beauty"], "'beauty'"),
        (["rank", BOARDS, "--with", "nowhere"], "'nowhere'"),
        (["power", BOARDS, "nothing", "lstm"], "no method"),
    ],
    ids=["method", "metric", "rank", "with", "power"],
)
def test_what_cannot_be_compared_is_one_line(call, boards: Path, words: list, message: str):
    code, out, err = call(*(boards if word is BOARDS else word for word in words))
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
