"""Searches on the command line: their cost is announced, and a missing package is named."""

import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/search.md"


@pytest.fixture
def page(tmp_path):
    """The suite that the page on searches shows."""
    (tmp_path / "page.toml").write_text(PAGE.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0])
    return tmp_path / "page.toml"


def test_a_dry_run_tells_the_number_of_trials_and_their_cost(page, tmp_path, call):
    """Twenty trials of 1,000 updates, beside three seeds of 5,000."""
    code, out, _ = call("run", page, "--results", tmp_path / "results", "--dry-run")
    assert code == 0
    (line,) = [line for line in out.splitlines() if "trials" in line]
    assert "shallow_plrnn" in line
    assert all(number in line for number in ("20 trials", "20,000", "15,000", "model.hidden, trainer.learning_rate"))
    assert "6 runs" in out
    assert not (tmp_path / "results").exists()


def test_without_optuna_a_dry_run_says_what_to_install(page, tmp_path, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, error = call("run", page, "--results", tmp_path / "results", "--dry-run")
    assert code == 2
    assert "pip install 'chaosbench[search]'" in error
    assert len(error.splitlines()) == 1
