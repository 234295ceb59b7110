"""The plan that `run --dry-run` prints, and its refusal."""

from pathlib import Path

import pytest
from tiny_suite import tiny_suite

from chaosbench.execution import planning


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_suite(seeds=[0, 1], intervals=[2, 5]))
    return path


def test_a_dry_run_tells_time_memory_and_disk(call, suite: Path, tmp_path: Path):
    code, out, err = call("run", suite, "--dry-run", "--device", "cpu", "--workers", "2", "--results", tmp_path / "r")
    assert code == 0, err
    (time,) = [line for line in out.splitlines() if "2 workers" in line]
    assert "about" in time
    (memory,) = [line for line in out.splitlines() if "memory" in line]
    assert "MB" in memory
    assert "disk" in memory
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("more", [["--dry-run"], []])
def test_a_plan_that_cannot_fit_is_refused_before_anything_runs(
    call, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
):
    monkeypatch.setattr(planning, "usable_memory", lambda: 10**8)
    code, _, err = call("run", suite, "--device", "cpu", "--results", tmp_path / "r", *more)
    assert code == 2
    assert "memory" in err
    assert len(err.splitlines()) == 1
    assert not list((tmp_path / "r").glob("*")) if (tmp_path / "r").exists() else True


def test_a_measured_plan_rests_on_experiments(call, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHAOSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(planning, "measured", lambda chosen, device, *, budget: [planning_cost()] * len(chosen))
    words = ("run", suite, "--dry-run", "--device", "cpu", "--results", tmp_path / "r")
    assert "guess" in call(*words)[1]
    out = call(*words, "--measure")[1]
    assert "1 experiment" in out
    assert "guess" not in out
    assert "1 experiment on" in call(*words)[1], "it is remembered"


def planning_cost():
    from chaosbench.execution.timing import Cost

    return Cost(0.01, 3.0)
