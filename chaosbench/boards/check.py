"""Checks of a whole board: its log, every submission, its tables, and what changed since an earlier state."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from chaosbench.boards import lock, publish
from chaosbench.boards.findings import Finding
from chaosbench.boards.table import rows_of, units_of
from chaosbench.boards.validate import validate
from chaosbench.errors import ChaosbenchError
from chaosbench.leaderboard.folder import read_table, sha256
from chaosbench.leaderboard.submissions import Submission, read_submission, submissions
from chaosbench.leaderboard.wide import csv_text, schema


def check(board: Path, *, tables: bool = True) -> list[Finding]:
    """Return everything that is wrong with a board; nothing in it is executed, and it may be a stranger's.

    Args:
        board: its folder.
        tables: whether `board.parquet` and `board.csv` must be what the submissions give.
    """
    read: list[Submission] = []
    found: list[Finding] = []
    try:
        demands = lock.read(board)
        for path in submissions(board):
            read.append(read_submission(path))
    except (ChaosbenchError, OSError) as error:
        return [Finding("files", str(error))]
    try:
        publish.check_log(board, read)
        levels, order = publish.levels(board, read), publish.order_of(board)
    except (ChaosbenchError, OSError) as error:
        found.append(Finding("log", str(error)))
        levels, order = {}, []
    age = {name: index for index, name in enumerate(order)}
    oldest_first = sorted(read, key=lambda one: age.get(one.folder.name, len(age)))
    for index, one in enumerate(oldest_first):
        own = validate(one, demands, oldest_first[:index])
        found += [Finding(finding.check, f"{one.folder.name}: {finding.what}") for finding in own]
    return [*found, *_tables(board, read, levels, demands)] if tables and levels else found


def changed(board: Path, earlier: Path) -> Iterator[Finding]:
    """Yield what a new state of a board may not change: it may add submissions, and nothing else.

    Args:
        board: the new state.
        earlier: the old state.
    """
    for name in (lock.FILE, "suite.toml"):
        if _digest(board / name) != _digest(earlier / name):
            yield Finding("demands", f"{name} differs; the demands of a board are fixed when it is made")
    before, after = (_lines(path / publish.LOG) for path in (earlier, board))
    if after[: len(before)] != before:
        yield Finding("log", "its lines are not those of the earlier state, followed by new ones")
    for path in sorted((earlier / "submissions").glob("*/*")):
        if _digest(path) != _digest(board / path.relative_to(earlier)):
            yield Finding("submissions", f"{path.relative_to(earlier)} differs; submissions are never changed")
    own, theirs = _others(board), _others(earlier)
    for name in sorted(one for one in own.keys() | theirs.keys() if own.get(one) != theirs.get(one)):
        yield Finding("files", f"{name} differs; who keeps the board writes it, from the submissions")
    places = (sorted((one / publish.VERIFICATIONS).glob("*")) for one in (earlier, board))
    old, new = ({path.name: _digest(path) for path in own} for own in places)
    if new != old:
        names = ", ".join(sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)))
        yield Finding("verifications", f"{names}: only who keeps the board adds verifications, by `leaderboard verify`")


def _others(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the files of a board that neither its log nor its submissions make, by their paths."""
    made = (publish.LOG, publish.PARQUET, publish.CSV, lock.FILE, "suite.toml")
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    own = ("submissions/", f"{publish.VERIFICATIONS}/")
    return {name: _digest(path) for name, path in paths.items() if name not in made and not name.startswith(own)}


def _tables(board: Path, read: list[Submission], levels: Mapping[str, str], demands: lock.Lock) -> Iterator[Finding]:
    path = board / publish.PARQUET
    try:
        own = read_table(path).to_pylist()
    except (ChaosbenchError, OSError) as error:
        yield Finding("tables", str(error))
        return
    expected = rows_of(read, levels, demands)
    if len(own) != len(expected) or any(one != two for one, two in zip(own, expected, strict=True)):
        yield Finding("tables", f"{path.name} is not what the submissions give; run `chaosbench leaderboard build`")
    text = csv_text(expected, schema(demands.suite, units_of(read, demands)).names)
    if _digest(board / publish.CSV) != hashlib.sha256(text.encode()).hexdigest():
        yield Finding("tables", f"{publish.CSV} is not what the submissions give; run `chaosbench leaderboard build`")


def _digest(path: Path) -> str:
    """Return the SHA-256 of a regular file; empty for anything else."""
    return sha256(path) if path.is_file() and not path.is_symlink() else ""


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines() if path.is_file() and not path.is_symlink() else []
