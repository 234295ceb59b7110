"""Files of a submission are data: whatever cannot be read safely is refused in one line."""

import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_submissions import claimed, written

from chaosbench.errors import ChaosbenchError
from chaosbench.leaderboard.folder import sha256
from chaosbench.leaderboard.submissions import read_submission, write_submission


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path, claimed())


def rehash(folder: Path, name: str) -> None:
    """Write the hash of a changed file into the manifest, as a cheat would."""
    lines = (folder / "manifest.toml").read_text().splitlines()
    changed = [f'"{name}" = "{sha256(folder / name)}"' if line.startswith(f'"{name}"') else line for line in lines]
    (folder / "manifest.toml").write_text("\n".join(changed) + "\n")


def refused(folder: Path) -> str:
    with pytest.raises(ChaosbenchError) as error:
        read_submission(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_was_written_is_read_again(folder: Path):
    read = read_submission(folder)
    assert [one.records for one in read.experiments] == [one.records for one in claimed()]
    assert folder.name.endswith(read.digest[:8])


@pytest.mark.parametrize("name", ["weights.pt", "model.pkl", "run.py"])
def test_files_that_do_not_belong_there_are_refused(folder: Path, name: str):
    (folder / name).write_bytes(b"\x80\x04.")
    assert name in refused(folder)


def test_links_are_refused(folder: Path, tmp_path: Path):
    (folder / "runs.parquet").rename(tmp_path / "runs.parquet")
    (folder / "runs.parquet").symlink_to(tmp_path / "runs.parquet")
    assert "no regular file" in refused(folder)


def test_a_pipe_is_refused_without_waiting(folder: Path):
    (folder / "runs.parquet").unlink()
    os.mkfifo(folder / "runs.parquet")
    assert "no regular file" in refused(folder)


def test_a_changed_table_is_refused(folder: Path):
    content = bytearray((folder / "records.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "records.parquet").write_bytes(bytes(content))
    assert "hash" in refused(folder)


def test_a_table_of_other_columns_is_refused(folder: Path):
    pq.write_table(pa.table({"experiment": ["x"]}), folder / "records.parquet")
    rehash(folder, "records.parquet")
    assert "columns" in refused(folder)


def test_rows_of_an_experiment_that_the_manifest_lacks_are_refused(folder: Path):
    table = pq.read_table(folder / "records.parquet")
    other = table.set_column(0, table.schema.field(0), pa.array(["f" * 64] * len(table)))
    pq.write_table(other, folder / "records.parquet")
    rehash(folder, "records.parquet")
    assert "lacks" in refused(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "ours"', 'name = "../ours"'),
        ('name = "ours"', 'name = "<script>"'),
        ("format = 1", "format = 1\nexecute = 1"),
        ("format = 1", "format ="),
        ('saw = "nothing"', 'saw = "a\\u001b[31m"'),
        ("format = 1", "format = 1\nformat = 1"),
    ],
    ids=["path", "html", "unknown-key", "no-toml", "escape", "key-twice"],
)
def test_a_manifest_that_says_something_else_is_refused(folder: Path, old: str, new: str):
    text = (folder / "manifest.toml").read_text()
    assert old in text
    (folder / "manifest.toml").write_text(text.replace(old, new))
    assert "manifest.toml" in refused(folder)


def test_an_experiment_whose_content_was_changed_is_refused(folder: Path):
    text = (folder / "manifest.toml").read_text()
    changed = text.replace('\\"hidden\\":30', '\\"hidden\\":31')
    assert changed != text
    (folder / "manifest.toml").write_text(changed)
    assert "another digest" in refused(folder)


def test_a_name_that_is_a_path_cannot_be_written(tmp_path: Path):
    with pytest.raises(ChaosbenchError, match="cannot name"):
        written(tmp_path, claimed(), name="../up")
    assert list(tmp_path.iterdir()) == []


def test_a_submission_is_not_written_over(folder: Path, tmp_path: Path):
    with pytest.raises(ChaosbenchError, match="exists"):
        written(tmp_path, claimed())
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert write_submission


def test_no_folder_of_the_submitter_is_published(tmp_path: Path):
    command = "chaosbench run core --results /home/somebody/secret/core"
    runs = [
        tuple(run | {"provenance": {**run["provenance"], "command": command}} for run in one.runs) for one in claimed()
    ]
    folder = written(tmp_path, [replace(one, runs=own) for one, own in zip(claimed(), runs, strict=True)])
    commands = {run["provenance"]["command"] for one in read_submission(folder).experiments for run in one.runs}
    assert commands == {"chaosbench run core --results core"}
    assert not any(b"somebody" in path.read_bytes() for path in folder.iterdir())
