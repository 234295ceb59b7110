"""The folder of a board: made, added to, and built from its submissions; every change is a line of its log.

suite.toml          what is run
suite.lock.json     what is demanded of every submission
submissions/        one folder each, never changed
verifications/      what came out when others checked a submission
log.jsonl           a line per change, each with the hash of the line before
board.parquet       a row per run, built from all of this; board.csv has the same
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaosbench.boards import lock as locks
from chaosbench.boards.findings import Finding
from chaosbench.boards.table import rows_of, units_of
from chaosbench.boards.validate import validate
from chaosbench.errors import StoreError
from chaosbench.files import flush, read_bounded, write_whole
from chaosbench.leaderboard.board import Ranking
from chaosbench.leaderboard.folder import Stored, sha256
from chaosbench.leaderboard.once import counted_once
from chaosbench.leaderboard.rank import rank
from chaosbench.leaderboard.store import read_all
from chaosbench.leaderboard.submissions import Submission, read_submission, submissions
from chaosbench.leaderboard.wide import schema, write_csv, write_parquet

LOG, PARQUET, CSV = "log.jsonl", "board.parquet", "board.csv"
VERIFICATIONS = "verifications"
EVENTS = ("new", "add", "verify")  # of the log
UNRANKED = ("listed", "refuted")  # levels without a rank


def add(board: Path, folder: Path) -> Submission:
    """Validate a submission and copy it into a board; it is whole there, or absent.

    Raises:
        StoreError: where it cannot be read, is there already, or is not valid; the message holds every finding.
    """
    lock, submission = locks.read(board), read_submission(folder)
    target = board / "submissions" / folder.name
    if target.exists():
        raise StoreError(f"{folder.name!r} is on this board already; submissions are never changed")
    findings = validate(submission, lock, all_of(board))
    if findings:
        raise StoreError(f"{folder.name!r} is not valid: {told(findings)}")
    beside = board / "submissions" / f".tmp-{uuid.uuid4().hex}"
    try:
        shutil.copytree(folder, beside)
        for path in (*beside.iterdir(), beside):
            flush(path)
        beside.rename(target)
        flush(target.parent)
    except OSError as error:
        raise StoreError(f"cannot write {str(target)!r}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    log(board, "add", folder.name, submission.digest)
    return submission


def all_of(board: Path) -> list[Submission]:
    """Read every submission of a board, in the order in which they were added."""
    locks.read(board)  # a folder that is no board says so
    age = {name: index for index, name in enumerate(order_of(board))}
    return [read_submission(path) for path in sorted(submissions(board), key=lambda path: age.get(path.name, len(age)))]


def build(board: Path, target: Path | None = None) -> int:
    """Write `board.parquet` and `board.csv` from the submissions, and return the number of their rows.

    Args:
        board: a board.
        target: the folder of the tables; None: the board.
    """
    lock, found = locks.read(board), all_of(board)
    rows, content = rows_of(found, levels(board, found), lock), schema(lock.suite, units_of(found, lock))
    write_parquet(rows, (target or board) / PARQUET, content)
    write_csv(rows, (target or board) / CSV, content)
    return len(rows)


def levels(board: Path, read: Sequence[Submission] | None = None) -> dict[str, str]:
    """Return how far each submission has been checked, by its folder's name.

    Args:
        board: a board.
        read: its submissions; None: they are read.

    "listed": there is no code to run, and it is not ranked; "valid": its numbers are possible and fit together;
    "re-scored", "re-run" or "bitwise": the best that others have verified; "refuted": a verification failed.
    """
    order = ("re-scored", "re-run", "bitwise")
    everyone = all_of(board) if read is None else read
    found = {one.folder.name: "valid" if one.manifest.code.strip() else "listed" for one in everyone}
    for path in sorted((board / VERIFICATIONS).glob("*.json")):
        content = read_verification(path)
        name, level = content["submission"], content["level"]
        if name not in found:
            continue
        if not content["holds"]:
            found[name] = "refuted"
        elif found[name] not in ("refuted", "listed"):
            found[name] = max(found[name], level, key=lambda one: order.index(one) if one in order else -1)
    return found


def ranked(submissions: Iterable[Submission], levels: Mapping[str, str]) -> Ranking:
    """Rank the submissions that have code and that no verification has refuted.

    Args:
        submissions: of a board, in the order in which they were added.
        levels: of each submission, by its folder's name.
    """
    return rank(counting(submissions, levels), failed_as_worst=True)


def counting(submissions: Iterable[Submission], levels: Mapping[str, str]) -> list[Stored]:
    """Return the experiments that `ranked` ranks.

    A seed of a method counts as it was handed in first, so that nobody replaces the runs of others; only a run without
    a result is replaced.
    """
    able = [one for one in submissions if levels[one.folder.name] not in UNRANKED]
    return counted_once(stored for one in able for stored in one.experiments)


def experiments_of(path: Path, *, every_file: bool = False) -> list[Stored]:
    """Return the experiments of a results directory, or those of a board that are ranked.

    Args:
        path: a results directory, or the folder of a board.
        every_file: check the files of a results directory that are not read as well.
    """
    if not (path / locks.FILE).is_file():
        return read_all(path, every_file=every_file)
    found = all_of(path)
    check_log(path, found)
    return counting(found, levels(path, found))


def read_verification(path: Path) -> dict[str, Any]:
    """Read a verification.

    Raises:
        StoreError: where it cannot be read or lacks a field.
    """
    try:
        content: dict[str, Any] = json.loads(read_bounded(path))
        if not isinstance(content["holds"], bool) or not isinstance(content["submission"], str):
            raise TypeError("its fields have other types")
        if content["level"] not in ("re-scored", "re-run", "bitwise"):
            raise ValueError(f"there is no level {content['level']!r}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{str(path)!r} cannot be read: {error}") from error
    return content


def write_verification(board: Path, content: Mapping[str, Any]) -> Path:
    """Write what a verification has found, under a name of its own, and log it."""
    text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    folder = board / VERIFICATIONS
    folder.mkdir(exist_ok=True)
    path = folder / f"{content['date']}-{content['submission']}-{digest[:8]}.json"
    write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))
    log(board, "verify", str(content["submission"]), digest)
    return path


def log(board: Path, event: str, subject: str, digest: str) -> None:
    """Append a line to the log of a board; it holds the hash of the line before."""
    lines = read_log(board)
    previous = hashlib.sha256(lines[-1].encode()).hexdigest() if lines else ""
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "event": event,
        "subject": subject,
        "sha256": digest,
        "previous": previous,
    }
    text = "\n".join([*lines, json.dumps(entry)]) + "\n"
    write_whole(board / LOG, lambda path: path.write_text(text, encoding="utf-8"))


def read_log(board: Path) -> list[str]:
    """Return the lines of a board's log after a check that each holds the hash of the line before.

    Raises:
        StoreError: where a line was changed, removed or put in between.
    """
    path = board / LOG
    if not path.exists():
        return []
    lines, previous = read_bounded(path).splitlines(), ""
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            holds = entry["previous"] == previous
        except (ValueError, KeyError, TypeError, RecursionError):
            holds = False
        if not holds:
            raise StoreError(f"{str(path)!r}, line {number}: it does not follow the line before; the log was changed")
        previous = hashlib.sha256(line.encode()).hexdigest()
    return lines


def read_log_entries(board: Path) -> list[dict[str, str]]:
    """Return the entries of a board's log, whose fields are texts, after the check of `read_log`.

    Raises:
        StoreError: where a line was changed, or lacks a field.
    """
    entries: list[dict[str, str]] = [json.loads(line) for line in read_log(board)]
    for number, entry in enumerate(entries, start=1):
        if not all(isinstance(entry.get(name), str) for name in ("time", "event", "subject", "sha256")):
            raise StoreError(f"{str(board / LOG)!r}, line {number}: it lacks a field")
    return entries


def check_log(board: Path, read: Sequence[Submission] | None = None) -> None:
    """Check that the log tells of the demands, submissions and verifications of a board, with the digests they have.

    Args:
        board: a board.
        read: its submissions; None: they are read.

    Raises:
        StoreError: with the first that differs.
    """
    entries = read_log_entries(board)
    logged = {event: {one["subject"]: one["sha256"] for one in entries if one["event"] == event} for event in EVENTS}
    lock = sha256(board / locks.FILE)
    for suite, digest in logged["new"].items():
        if digest != lock:
            raise StoreError(f"{locks.FILE} of the suite {suite!r} was changed since the board was made")
    everyone = all_of(board) if read is None else read
    _same_names("submission", logged["add"], {one.folder.name: one.digest for one in everyone})
    files = [path for path in sorted((board / VERIFICATIONS).glob("*")) if not path.name.startswith(".")]
    verified = {one["sha256"] for one in entries if one["event"] == "verify"}
    _same_names("verification", {one: one for one in verified}, {sha256(path): sha256(path) for path in files})


def order_of(board: Path) -> list[str]:
    """Return the names of submissions in the order in which they were added, by the log."""
    return [entry["subject"] for entry in read_log_entries(board) if entry["event"] == "add"]


def last_change(board: Path) -> datetime | None:
    """Return the time of the last line of a board's log, which dates its state; None: there is none."""
    entries = read_log_entries(board)
    try:
        return datetime.fromisoformat(entries[-1]["time"]).astimezone(UTC) if entries else None
    except ValueError as error:
        raise StoreError(f"{str(board / LOG)!r}: its last line has no time") from error


def _same_names(what: str, logged: Mapping[str, str], present: Mapping[str, str]) -> None:
    for name in sorted(logged.keys() | present.keys()):
        if logged.get(name) != present.get(name):
            why = "is gone" if name not in present else "is not in the log" if name not in logged else "was changed"
            raise StoreError(f"the {what} {name!r} {why}")


def told(findings: Sequence[Finding]) -> str:
    """Return findings as one line."""
    return "; ".join(f"[{finding.check}] {finding.what}" for finding in findings)
