"""The provenance of every stored row."""

import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from execution.misbehaving import Misbehaving
from small_experiment import small

from chaosbench import provenance
from chaosbench.data import simulate
from chaosbench.execution import Finished, alone, carry_on
from chaosbench.leaderboard import store
from chaosbench.leaderboard.schema import PROVENANCE
from chaosbench.models import ShallowPLRNN
from chaosbench.run import run_experiment

OF_BATCHES = {"trained_with", "plug-in NAME", "package NAME", "commit"}  # absent where there are none


def test_a_stored_row_has_every_entry_and_its_times_in_order(tmp_path: Path):
    before = datetime.now(UTC)
    run_experiment(small(), results=tmp_path)
    (stored,) = store.read_all(tmp_path)
    for run in stored.runs:
        assert set(run["provenance"]) - OF_BATCHES == set(PROVENANCE) - OF_BATCHES
        assert before <= run["started"] <= run["ended"] <= datetime.now(UTC)
        assert run["provenance"]["dtype"] == "float64"
        assert run["provenance"]["seeds"] == "3, 1"


def test_the_checksum_is_that_of_the_simulated_data_and_notes_one_changed_bit(tmp_path: Path):
    experiment = small()
    (run, _) = run_experiment(experiment).runs
    data = simulate(experiment.system, experiment.data).to("cpu", torch.float64)
    assert run.provenance["data"] == provenance.checksum(data)
    test = data.test.clone()
    test[1, 7, 0] = torch.nextafter(test[1, 7, 0], torch.tensor(torch.inf, dtype=test.dtype))
    changed = type(data)(**{**vars(data), "test": test})
    assert provenance.checksum(changed) != provenance.checksum(data)


def test_a_run_that_was_lost_names_machine_command_and_plug_ins(tmp_path: Path):
    events = carry_on(
        alone([small(Misbehaving(fault="exit"))]), tmp_path, device="cpu", workers=1, versions={"plug-in mine": "7"}
    )
    assert [event for event in events if isinstance(event, Finished)]
    (stored,) = store.read_all(tmp_path)
    for run in stored.runs:
        assert run["status"] == "crashed"
        assert {"torch", "host", "command", "seeds", "dtype"} <= set(run["provenance"])
        assert run["provenance"]["plug-in mine"] == "7"
        assert run["started"] <= run["ended"]


def test_neither_the_host_nor_the_home_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path / "somebody"))
    monkeypatch.setattr(platform, "node", lambda: "secret-host")
    suite = str(tmp_path / "somebody" / "my suite.toml")
    monkeypatch.setattr(sys, "argv", ["/usr/bin/chaosbench", "run", suite])
    found = provenance.of_machine() | provenance.of_command()
    assert "chaosbench run" in found["command"]
    assert "my suite.toml" in found["command"]
    assert not any("secret" in text or "somebody" in text for text in found.values())
    monkeypatch.setattr(
        sys, "argv", ["chaosbench", "run", "core", "--results", "/data/of me/x y", "--plugin=/a/b.py", "-m", "c/d"]
    )
    assert provenance.of_command()["command"] == "chaosbench run core --results 'x y' --plugin=b.py -m c/d"


def test_a_script_or_notebook_is_named_without_its_arguments(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["/home/somebody/train.py", "--token", "secret"])
    assert provenance.of_command()["command"] == "train.py"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_commit_is_marked_where_a_tracked_file_differs_from_it(tmp_path: Path):
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.run(
            ["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    assert provenance._commit(tmp_path) == ""
    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "first")
    assert provenance._commit(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "file").write_text("2")
    assert provenance._commit(tmp_path) == git("rev-parse", "HEAD") + "-dirty"


@pytest.mark.parametrize(
    ("seeds", "text"), [((0, 1, 2), "0-2"), ((5,), "5"), ((3, 1, 2, 9, 8), "3, 1-2, 9, 8"), ((0, 2, 4), "0, 2, 4")]
)
def test_consecutive_seeds_are_a_range_in_the_order_of_training(seeds, text):
    assert provenance._ranges(seeds) == text


def test_ten_thousand_scattered_seeds_stay_short():
    text = provenance._ranges(tuple(range(0, 20_000, 2)))
    assert len(text) < 300
    assert "10000" in text


def test_a_kind_of_another_package_names_its_version():
    assert provenance.of_experiment(small()).keys() == {"dtype", "seeds"}
    foreign = type("Foreign", (ShallowPLRNN,), {"__module__": "pytest.anything"})
    assert provenance.of_experiment(small(foreign(hidden=6)))["package pytest"] == pytest.__version__


def test_an_archive_of_a_repository_knows_its_commit(tmp_path: Path):
    note, tree = tmp_path / ".git_archival.txt", Path(__file__).parents[1]
    note.write_bytes((tree / ".git_archival.txt").read_bytes())
    assert provenance._commit(tmp_path) == ""  # a copy of the files, which no `git archive` has filled in
    assert "export-subst" in (tree / ".gitattributes").read_text()
    commit = "0123456789" * 4
    note.write_text(note.read_text().replace("$Format:%H$", commit))
    assert provenance._commit(tmp_path) == f"{commit}-archive"
