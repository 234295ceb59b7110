"""Files of boards over time: those of earlier versions are read, and those of later ones refused with their version."""

import json
import tomllib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_submissions import LOCK, claimed, empty_board, written

from chaosbench.boards import lock, publish
from chaosbench.boards.validate import validate
from chaosbench.errors import ChaosbenchError
from chaosbench.leaderboard.folder import sha256
from chaosbench.leaderboard.schema import VERSION
from chaosbench.leaderboard.submissions import digest_of, read_submission


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a valid submission."""
    return written(tmp_path, claimed())


def changed(folder: Path, name: str, change) -> Path:
    """Write a changed table into a submission as its author would, with the right hash, and return its folder."""
    before = sha256(folder / name)
    pq.write_table(change(pq.read_table(folder / name)), folder / name)
    manifest = folder / "manifest.toml"
    manifest.write_text(manifest.read_text().replace(before, sha256(folder / name)))
    return folder


def without(columns):
    """Return a change of a table that drops columns."""
    return lambda table: table.drop_columns(columns)


def versioned(version: str):
    """Return a change of a table that declares another version of its schema."""
    return lambda table: table.replace_schema_metadata({"chaosbench_schema": version})


def test_a_submission_of_an_earlier_version_lies_on_a_board(folder: Path, tmp_path: Path):
    """Tables had no `seeds_together` and `ended` before; the digest counts what is read, so the name fits as well."""
    experiments = [
        type(one)(
            one.folder, one.identity, one.experiment,
            tuple({**run, "seeds_together": None, "ended": None} for run in one.runs), one.records, one.sources,
        )
        for one in claimed()
    ]  # fmt: skip
    old = changed(folder, "runs.parquet", without(["seeds_together", "ended"]))
    old = old.rename(folder.with_name(f"2026-11-27-ours-{digest_of(experiments)[:8]}"))
    assert validate(read_submission(old), LOCK) == []
    board = empty_board(tmp_path / "board")
    publish.add(board, old)
    assert publish.build(board) == 15
    ranking = publish.ranked(publish.all_of(board), publish.levels(board))
    assert {entry.seeds_together for own in ranking.boards for entry in own.entries} == {(5,)}, "its rows are a batch"


def test_a_table_without_a_declared_version_is_the_oldest(folder: Path):
    changed(folder, "records.parquet", lambda table: table.replace_schema_metadata(None))
    assert len(read_submission(folder).experiments) == 3


@pytest.mark.parametrize("version", [str(VERSION + 1), "1e9", "-1", "9" * 5000])
@pytest.mark.parametrize("name", ["runs.parquet", "records.parquet"])
def test_a_table_of_a_later_version_is_refused(folder: Path, name: str, version: str):
    with pytest.raises(ChaosbenchError, match="update chaosbench"):
        read_submission(changed(folder, name, versioned(version)))


def test_a_manifest_of_a_later_version_is_refused(folder: Path):
    manifest = folder / "manifest.toml"
    content = tomllib.loads(manifest.read_text())
    manifest.write_text(manifest.read_text().replace("format = 1\n", f"format = {content['format'] + 1}\n", 1))
    with pytest.raises(ChaosbenchError, match="format"):
        read_submission(folder)


def test_demands_of_a_later_version_are_refused(tmp_path: Path):
    board = empty_board(tmp_path / "board")
    content = json.loads((board / lock.FILE).read_text())
    (board / lock.FILE).write_text(json.dumps(content | {"format": lock.FORMAT + 1}))
    with pytest.raises(ChaosbenchError, match="update chaosbench"):
        lock.read(board)


@pytest.mark.parametrize("column", ["level", "submission", "verified"])
@pytest.mark.parametrize("name", ["runs.parquet", "records.parquet"])
def test_a_column_of_a_verification_cannot_be_handed_in(folder: Path, name: str, column: str):
    filled = changed(folder, name, lambda table: table.append_column(column, pa.array(["bitwise"] * len(table))))
    with pytest.raises(ChaosbenchError, match=column):
        read_submission(filled)


@pytest.mark.parametrize("field", ["level", "verified", "holds"])
def test_a_manifest_cannot_claim_a_verification(folder: Path, field: str):
    manifest = folder / "manifest.toml"
    manifest.write_text(f'{field} = "bitwise"\n{manifest.read_text()}')
    with pytest.raises(ChaosbenchError, match=field):
        read_submission(folder)


def test_a_record_that_is_called_like_a_column_of_the_board_is_refused(tmp_path: Path):
    named = []
    for one in claimed():
        extra = tuple({**row, "name": "level", "value": 9.0} for row in one.records if row["better"])[:1]
        named.append(type(one)(one.folder, one.identity, one.experiment, one.runs, (*one.records, *extra), one.sources))
    with pytest.raises(ChaosbenchError, match="level"):
        publish.add(empty_board(tmp_path / "board"), written(tmp_path, named))
