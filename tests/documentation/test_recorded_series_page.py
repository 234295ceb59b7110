"""The examples on the page about recorded series run."""

import re
from pathlib import Path
from typing import Any

import pytest

from chaosbench import registry, suite
from chaosbench.leaderboard import store
from chaosbench.leaderboard.rank import rank

PAGE = (Path(__file__).parents[2] / "docs/recorded-series.md").read_text(encoding="utf-8")
SHORT = '"seeds": [0], "evaluation": {"conditions": 20, "exponent_conditions": 2, "exponent_steps": 100}'


def block(language: str) -> str:
    match = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert match
    return match[1]


@pytest.fixture
def trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory holds trials.csv: two orbits of the Hénon map, of different lengths."""
    lines = ["subject,time,x,y"]
    for subject, rows, (x, y) in (("anna", 900, (0.1, 0.1)), ("bert", 1_300, (0.2, -0.1))):
        for row in range(rows):
            x, y = 1 - 1.4 * x * x + y, 0.3 * x
            lines.append(f"{subject},{0.5 * row},{x:.6f},{y:.6f}")
    (tmp_path / "trials.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("shortened", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["short", "whole"])
def test_ten_lines_go_from_two_trials_to_a_ranked_table_with_pictures(
    trials: None, capsys: pytest.CaptureFixture[str], shortened: bool
) -> None:
    """A network that learns the map is better than the repetition of a state, which has no dynamics."""
    pytest.importorskip("matplotlib").use("Agg")
    code = block("python")
    assert sum(bool(line) for line in code.splitlines()) == 10
    names: dict[str, Any] = {}
    if shortened:
        code = code.replace('"seeds": [0, 1, 2]', SHORT).replace('"context_parroting": "memorise", ', "")
    exec(code, names)
    (board,) = rank(store.read_all(Path("results"))).boards
    assert [board.entries[place].model for place in (0, -1)] == ["echo_state_network", "persistence"]
    assert "echo_state_network" in capsys.readouterr().out
    assert all(Path(f"{kind}.png").stat().st_size > 10_000 for kind in ("attractor", "forecasts", "error_growth"))


def test_the_suite_of_the_page_is_valid(trials: None) -> None:
    Path("mine.toml").write_text(block("toml"), encoding="utf-8")
    (experiment,) = suite.load("mine.toml", registry.load())
    assert (experiment.system.dt, len(experiment.seeds)) == (0.5, 3)
