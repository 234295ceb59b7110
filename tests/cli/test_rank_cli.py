"""Ranking over systems and comparing methods from the command line, on results that come with the repository."""

import json
from pathlib import Path

import pytest

BOARDS = Path(__file__).parents[2] / "leaderboards" / "theory"


def over_systems(call, *words: object) -> dict:
    code, out, err = call("rank", *words, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)["overall"]


def test_a_ranking_has_a_part_over_systems(call):
    found = over_systems(call, BOARDS)
    wins = [one["wins"] for one in found["standings"]]
    assert wins == sorted(wins, reverse=True)
    assert sum(wins) == pytest.approx(len(wins) / 2), "every win is another method's loss"
    assert len(found["boards"]) >= 2
    code, out, _ = call("rank", BOARDS)
    assert code == 0
    assert "over systems" in out


def test_results_are_ranked_together_with_others(call, tmp_path: Path):
    for number, folder in enumerate(sorted(BOARDS.iterdir())):
        (tmp_path / f"part{number % 2}").mkdir(exist_ok=True)
        (tmp_path / f"part{number % 2}" / folder.name).symlink_to(folder)
    assert over_systems(call, tmp_path / "part0", "--with", tmp_path / "part1") == over_systems(call, BOARDS)


def test_two_methods_are_compared_and_their_power_is_shown(call):
    first, second = ({one["model"]: one for one in over_systems(call, BOARDS)["standings"]}.values(), None)
    names = [f"{one['trainer']} on {one['model']}" for one in first][:2]
    code, out, err = call("compare", BOARDS, *names, "--json")
    assert (code, err) == (0, "")
    assert 0 <= json.loads(out)["probability"] <= 1
    code, out, err = call("compare", BOARDS, *names)
    assert (code, err) == (0, "")
    assert "A beats B" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compare", BOARDS, "nothing", "lstm"], "no method"),
        (["compare", BOARDS, "rnn", "rnn", "--metric", "beauty"], "'beauty'"),
        (["rank", BOARDS, "--metric", "beauty"], "'beauty'"),
        (["rank", BOARDS, "--with", "nowhere"], "'nowhere'"),
        (["power", BOARDS, "nothing", "lstm"], "no method"),
    ],
    ids=["method", "metric", "rank", "with", "power"],
)
def test_what_cannot_be_compared_is_one_line(call, words: list, message: str):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
