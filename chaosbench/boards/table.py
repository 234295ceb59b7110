"""The rows of a board, one per run of every submission."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chaosbench.boards.lock import Lock
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.schema import Row
from chaosbench.leaderboard.submissions import Submission
from chaosbench.leaderboard.wide import BOARD

_ORDER = ("submission", "system", "data", "model", "trainer", "seed")


def rows_of(submissions: Iterable[Submission], levels: Mapping[str, str], lock: Lock) -> list[Row]:
    """Return a row per run of all submissions, in the order of their folders, systems, methods and seeds."""
    found = [
        _row(submission, stored, run, levels, _metrics(lock))
        for submission in submissions
        for stored in submission.experiments
        for run in stored.runs
    ]
    return sorted(found, key=lambda row: tuple(row[name] for name in _ORDER))


def units_of(submissions: Iterable[Submission], lock: Lock) -> dict[str, str]:
    """Return the unit of each metric of a board by its label; it is empty where nobody has handed in a score of it."""
    units = dict.fromkeys(_metrics(lock), "")
    for submission in submissions:
        for stored in submission.experiments:
            units |= {row["name"]: row["unit"] for row in stored.records if row["name"] in units}
    return units


def _metrics(lock: Lock) -> list[str]:
    return list(dict.fromkeys(name for demand in lock.boards for name in demand.metrics))


def _row(
    submission: Submission, stored: Stored, run: Row, levels: Mapping[str, str], metrics: Sequence[str]
) -> dict[str, Any]:
    finals = {
        row["name"]: row
        for row in stored.records
        if row["seed"] == run["seed"] and row["update"] is None and row["better"]
    }
    scores = {
        key: finals[name][part] if name in finals else None
        for name in metrics
        for key, part in ((name, "value"), (f"{name}.floor", "floor"))
    }
    return {
        **{name: run[name] for name in BOARD.names if name in run},
        **scores,
        "submission": submission.folder.name,
        "level": levels[submission.folder.name],
        "chaosbench": run["provenance"].get("chaosbench", ""),
    }
