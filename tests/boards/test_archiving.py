"""The archive of a board: the same bytes twice, complete, checked, citable, and only of a valid board."""

import hashlib
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from made_submissions import board_with, claimed, empty_board, method, written

from chaosbench.archiving import write_archive
from chaosbench.boards import lock, publish
from chaosbench.boards.check import check
from chaosbench.errors import ChaosbenchError


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Return a board of two submissions, which are two methods on three systems."""
    return board_with(tmp_path, [method(one, 7) for one in claimed(seed=1)])


@pytest.fixture
def unpacked(board: Path, tmp_path: Path) -> Path:
    """Return the only folder of a board's archive."""
    with tarfile.open(write_archive(board, tmp_path / "board.tar.gz")) as archive:
        archive.extractall(tmp_path / "out", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (folder,) = (tmp_path / "out").iterdir()
    return folder


def test_the_same_board_gives_the_same_bytes_wherever_and_whenever(board: Path, tmp_path: Path):
    first = write_archive(board, tmp_path / "one.tar.gz").read_bytes()
    moved = board.rename(tmp_path / "elsewhere")
    for path in moved.rglob("*"):
        path.touch()
    assert write_archive(moved, tmp_path / "another-name.tar.gz").read_bytes() == first


def test_an_archive_is_a_valid_board_with_every_file_in_its_checksums(unpacked: Path):
    assert check(unpacked) == []
    sums = dict(reversed(line.split("  ")) for line in (unpacked / "SHA256SUMS").read_text().splitlines())
    files = {path.relative_to(unpacked).as_posix(): path for path in unpacked.rglob("*") if path.is_file()}
    assert sums.keys() == files.keys() - {"SHA256SUMS"}
    assert all(hashlib.sha256(files[name].read_bytes()).hexdigest() == digest for name, digest in sums.items())
    assert {"board.html", "board.csv", "CITATION.cff", "README.md", lock.FILE, publish.LOG} <= files.keys()
    assert pq.read_table(unpacked / "board.parquet").num_rows == 30


def test_the_version_is_dated_by_the_log(board: Path, unpacked: Path):
    last = json.loads((board / publish.LOG).read_text().splitlines()[-1])["time"][:10]
    assert unpacked.name == f"maps-{last}"
    cited = yaml.safe_load((unpacked / "CITATION.cff").read_text())
    assert (cited["version"], cited["date-released"].isoformat()) == (last, last)
    assert cited["authors"] == [{"name": "A. Uthor"}]
    assert {one["value"] for one in cited["identifiers"]} == {f"sha256:{one.digest}" for one in publish.all_of(board)}
    assert {"cff-version", "message", "title", "type"} <= cited.keys()


def test_the_ranking_stands_in_the_readme(unpacked: Path):
    text = (unpacked / "README.md").read_text()
    assert "rnn(hidden=7)" in text
    assert "wins [%]" in text


def test_a_board_that_is_not_valid_is_not_archived(board: Path, tmp_path: Path):
    picked = [replace(one, runs=one.runs[:2]) for one in claimed(seed=2)]
    folder = written(tmp_path, picked, name="sneaked")
    folder.rename(board / "submissions" / folder.name)
    with pytest.raises(ChaosbenchError, match=r"\[seeds\]") as error:
        write_archive(board, tmp_path / "board.tar.gz")
    assert "not in the log" in str(error.value)
    assert not (tmp_path / "board.tar.gz").exists()


def test_a_board_without_submissions_can_be_archived(tmp_path: Path):
    path = write_archive(empty_board(tmp_path / "board"), tmp_path / "board.tar.gz")
    with tarfile.open(path) as archive:
        cited = next(name for name in archive.getnames() if name.endswith("CITATION.cff"))
        assert yaml.safe_load(archive.extractfile(cited))["authors"]
