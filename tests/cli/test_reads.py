"""One command reads a results directory once."""

from collections import Counter
from pathlib import Path

import pytest
from stored_runs import CHAOS, StoredSeed, publish
from tiny_suite import tiny_suite

from chaosbench.leaderboard import folder
from chaosbench.models import RNN

TINY = tiny_suite(seeds=[0], intervals=[1, 2, 3], metrics=["state_space_divergence"])


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often the table of runs of each folder is read."""
    counts: Counter[str] = Counter()
    read_table = folder._table

    def counting(path: Path, name: str):
        counts[path.name] += name == "runs.parquet"
        return read_table(path, name)

    monkeypatch.setattr(folder, "_table", counting)
    return counts


@pytest.mark.parametrize("command", ["rank", "explain"])
def test_ranking_and_explaining_read_each_folder_once(call, command: str, reads: Counter[str], tmp_path: Path):
    publish(tmp_path, StoredSeed(CHAOS))
    publish(tmp_path, StoredSeed(CHAOS), model=RNN())
    reads.clear()
    assert call(command, tmp_path)[0] == 0
    assert sorted(reads.values()) == [1, 1]


def test_running_a_suite_reads_old_folders_and_new_ones_once(call, few_pictures, reads: Counter[str], tmp_path: Path):
    """The command also draws pictures of each experiment and of the sweep, and shows the ranking."""
    (tmp_path / "tiny.toml").write_text(TINY)
    words = ("run", tmp_path / "tiny.toml", "--device", "cpu", "--results", tmp_path / "results", "--workers", "1")
    code, _, err = call(*words, "--set", "trainer.interval=[1, 2]")
    assert code == 0, err
    assert sorted(reads.values()) == [1, 1]
    reads.clear()
    code, out, err = call(*words)
    assert code == 0, err
    assert sorted(reads.values()) == [1, 1, 1]
    assert "forcing_curve.png" in out
