"""Runs that were perhaps edited: the few that differ where almost all others came out equal to the last digit.

On one kind of machine with the same versions the same seeds give the same bits. If nearly all runs of a submission do
so again, rounding cannot explain the few that do not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chaosbench.formats import number
from chaosbench.labels import title
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.schema import Row

# On which the bits of a result depend; two runs compare where all of these are known and equal.
ENVIRONMENT = ("chaosbench", "torch", "numpy", "numba", "python", "processor", "instructions", "threads", "dtype")
FEW = 0.25  # of the runs that compare; if more differ, something else may be the reason
_MOST = 3  # numbers of a run that are named


@dataclass(frozen=True)
class _Run:
    """A run and what differs in it.

    Attributes:
        name: trainer, model, system and seed.
        differing: a text for each score that differs.
    """

    name: str
    differing: tuple[str, ...]


def suspects(claimed: Sequence[Stored], again: Sequence[Stored]) -> tuple[str, ...]:
    """Return a text for each of the few runs whose scores differ, or nothing where more than a few do.

    Args:
        claimed: as handed in.
        again: the same experiments with the same seeds, in the same order.
    """
    runs = [run for one, other in zip(claimed, again, strict=True) for run in _compared(one, other)]
    differing = [run for run in runs if run.differing]
    if not 0 < len(differing) <= FEW * len(runs):
        return ()
    return tuple(f"{run.name}: {', '.join(run.differing[:_MOST])}" for run in differing)


def _compared(claimed: Stored, again: Stored) -> Iterator[_Run]:
    """Yield the seeds that ran in equal environments."""
    others = {run["seed"]: run for run in again.runs}
    after = _scores(again)
    for run in claimed.runs:
        other = others.get(run["seed"])
        if other is None or not _same(run, other):
            continue
        pairs = [
            (name, value, after[seed, name])
            for (seed, name), value in _scores(claimed).items()
            if seed == run["seed"] and (seed, name) in after
        ]
        texts = [
            f"{name.replace('_', ' ')} {number(value)}, again {number(repeated)}"
            for name, value, repeated in pairs
            if value != repeated
        ]
        yield _Run(f"{title(run)}, seed {run['seed']}", tuple(texts))


def _same(run: Row, other: Row) -> bool:
    pairs = [(run["provenance"].get(name), other["provenance"].get(name)) for name in ENVIRONMENT]
    return all(one is not None and one == two for one, two in pairs)


def _scores(stored: Stored) -> dict[tuple[int, str], Any]:
    return {
        (row["seed"], row["name"]): row["value"] for row in stored.records if row["update"] is None and row["better"]
    }
