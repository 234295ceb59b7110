"""Runs that count once, although a seed of a method was run or handed in several times."""

from collections.abc import Iterable
from dataclasses import replace

from chaosbench.leaderboard.folder import FINISHED, Stored
from chaosbench.leaderboard.schema import Row


def counted_once(experiments: Iterable[Stored]) -> list[Stored]:
    """Return the experiments with each seed of a method on a system once: its first result, or else its first failure.

    Args:
        experiments: in the order in which they count; those of which no run is left are left out.
    """
    ordered = list(experiments)
    chosen: dict[tuple[object, ...], tuple[bool, int]] = {}
    for index, stored in enumerate(ordered):
        for run in stored.runs:
            rank = (run["status"] not in FINISHED, index)  # any result comes before any failure
            chosen[_key(stored, run)] = min(rank, chosen.get(_key(stored, run), rank))
    kept = []
    for index, stored in enumerate(ordered):
        runs = tuple(run for run in stored.runs if chosen[_key(stored, run)][1] == index)
        if len(runs) == len(stored.runs):
            kept.append(stored)
        elif runs:
            seeds = {run["seed"] for run in runs}
            kept.append(replace(stored, runs=runs, records=tuple(r for r in stored.records if r["seed"] in seeds)))
    return kept


def _key(stored: Stored, run: Row) -> tuple[object, ...]:
    return (*stored.board[2:], run["model"], run["trainer"], run["seed"])
