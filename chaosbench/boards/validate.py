"""Checks of a submission that need neither training nor plug-ins: what it claims must be possible and fit together."""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from chaosbench.boards import consistency, contents, scores
from chaosbench.boards.findings import Finding, title_of
from chaosbench.boards.lock import Demand, Lock
from chaosbench.boards.scores import is_score
from chaosbench.leaderboard.folder import FAILED, Stored
from chaosbench.leaderboard.schema import Row
from chaosbench.leaderboard.submissions import Submission

STATUSES = ("ok", "diverged", *FAILED)
_FASTEST = 1e-6  # [s] of one update; no machine is faster
_EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)  # before chaosbench


def validate(submission: Submission, lock: Lock, others: Sequence[Submission] = ()) -> list[Finding]:
    """Return everything that is wrong with a submission, at most a few findings of each check.

    Args:
        submission: as read, which has checked files, hashes and schemas.
        lock: the demands of the board.
        others: earlier submissions of the board, whose numbers nobody else may hand in.
    """
    found = [*_limited(_of_manifest(submission, lock))]
    for stored in submission.experiments:
        demand = lock.find(" ".join(stored.sources), stored.board.evaluation)
        if demand is None:
            what = f"{title_of(stored)} is on no board of {lock.suite!r}: its system, data or evaluation differ"
            found.append(Finding("board", what))
            continue
        for check in _CHECKS:
            found += _limited(check(stored, demand))
    found += _limited(_seeds_complete(submission, lock))
    found += _limited(scores.same_scales(submission, lock, others))
    found += _limited(_copied(submission, others))
    return found


def _limited(findings: Iterator[Finding], most: int = 3) -> list[Finding]:
    """Return the first findings; a submission with one mistake in every row would otherwise fill the screen."""
    return [finding for finding, _ in zip(findings, range(most), strict=False)]


def _of_manifest(submission: Submission, lock: Lock) -> Iterator[Finding]:
    manifest = submission.manifest
    if manifest.suite != lock.suite:
        yield Finding("suite", f"it ran the suite {manifest.suite!r}, and this is a board of {lock.suite!r}")
    if not submission.folder.name.startswith(f"{manifest.date.isoformat()}-{manifest.name}-"):
        yield Finding("name", f"the folder {submission.folder.name!r} does not begin with its date and name")
    if not submission.folder.name.endswith(f"-{submission.digest[:8]}"):
        yield Finding("digest", f"its numbers have the digest {submission.digest[:8]}, and its folder says otherwise")


def _seeds_complete(submission: Submission, lock: Lock) -> Iterator[Finding]:
    """Every method runs every seed that the board demands once: none is picked, left out or added."""
    seeds: dict[tuple[str, str, str, str], list[int]] = {}
    for stored in submission.experiments:
        for run in stored.runs:
            key = (run["model"], run["trainer"], " ".join(stored.sources), stored.board.evaluation)
            seeds.setdefault(key, []).append(run["seed"])
    for (model, trainer, sources, evaluation), own in seeds.items():
        demand = lock.find(sources, evaluation)
        if demand is not None and sorted(own) != sorted(demand.seeds):
            listed = ", ".join(map(str, sorted(own)))
            wanted = ", ".join(map(str, demand.seeds))
            what = (
                f"{trainer} on {model}, {demand.system} has the seeds {listed}; the board demands {wanted}, each once"
            )
            yield Finding("seeds", what)


def _rows(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """Statuses exist, and no number is there twice."""
    del demand
    for run in stored.runs:
        if run["status"] not in STATUSES:
            yield Finding("status", f"{title_of(stored)}, seed {run['seed']}: there is no status {run['status']!r}")
        own = [row for row in stored.records if row["seed"] == run["seed"] and row["update"] is None]
        if len({row["name"] for row in own}) < len(own):
            yield Finding("duplicates", f"{title_of(stored)}, seed {run['seed']} has a number twice")


def _costs(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """Updates take time, and runs lie between the first version and now."""
    del demand
    latest = datetime.now(UTC) + timedelta(days=1)
    for run in stored.runs:
        where = f"{title_of(stored)}, seed {run['seed']}"
        seconds, together = run["train_seconds"], run["seeds_together"] or len(stored.runs)
        if run["updates"] < 0 or (seconds is not None and not 0 <= seconds < math.inf):
            yield Finding("costs", f"{where}: {run['updates']} updates in {seconds} s")
        elif seconds is not None and seconds * together < run["updates"] * _FASTEST:
            yield Finding("costs", f"{where}: {run['updates']:,} updates in {seconds * together:g} s are too fast")
        if not _EARLIEST <= run["started"] <= latest:
            yield Finding("costs", f"{where} started in {run['started']:%Y-%m-%d}")
        if run["parameters"] is not None and run["parameters"] < 0:
            yield Finding("costs", f"{where} has {run['parameters']} parameters")


def _repeated(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """Seeds of a method that depends on the seed differ; one without parameters repeats itself, up to rounding."""
    if all(run["parameters"] == 0 and run["updates"] <= 1 for run in stored.runs):
        return
    scores: dict[tuple[float | None, ...], list[int]] = {}
    for run in stored.runs:
        own = {row["name"]: row["value"] for row in stored.records if row["seed"] == run["seed"] and is_score(row)}
        if run["status"] == "ok":
            scores.setdefault(tuple(own.get(name) for name in demand.metrics), []).append(run["seed"])
    copies = [seeds for seeds in scores.values() if len(seeds) > 1]
    listed = ", ".join(map(str, copies[0])) if copies else ""
    if copies and len(scores) > 1:
        yield Finding("copies", f"{title_of(stored)}: the seeds {listed} have the same numbers, and others do not")
    elif copies and all(run["updates"] > 1 for run in stored.runs):
        what = f"the seeds {listed} have the same numbers, although each made many updates from weights of its own"
        yield Finding("copies", f"{title_of(stored)}: {what}")


def _copied(submission: Submission, others: Sequence[Submission]) -> Iterator[Finding]:
    """The numbers are not those of somebody else, and were not handed in as a whole before."""
    yield from (
        Finding("copies", f"it has exactly the numbers of {other.folder.name!r}")
        for other in others
        if other.digest == submission.digest
    )
    known = {
        numbers: other.folder.name
        for other in others
        if not _of_the_same(other, submission)
        for stored in other.experiments
        for numbers in _fingerprints(stored)
    }
    for stored in submission.experiments:
        for numbers in _fingerprints(stored):
            if numbers in known:
                yield Finding(
                    "copies", f"{title_of(stored)}: these numbers were handed in before, in {known[numbers]!r}"
                )


def _of_the_same(one: Submission, other: Submission) -> bool:
    """Return True for submissions of one name whose authors overlap; a name alone can be taken by anybody."""
    first, second = set(one.manifest.authors), set(other.manifest.authors)
    return one.manifest.name == other.manifest.name and (bool(first & second) or not first | second)


def _fingerprints(stored: Stored) -> Iterator[tuple[object, ...]]:
    """Yield the scores of each run that depends on its seed, with its system."""
    by_seed: dict[int, list[Row]] = {}
    for row in stored.records:
        if is_score(row):
            by_seed.setdefault(row["seed"], []).append(row)
    prints = [
        (" ".join(stored.sources), *sorted((row["name"], repr(row["value"])) for row in own))
        for own in by_seed.values()
        if any(row["value"] is not None for row in own)
    ]
    if len(set(prints)) == len(prints) > 1:
        yield from prints


_CHECKS: tuple[Callable[[Stored, Demand], Iterator[Finding]], ...] = (
    contents.sources,
    contents.labels,
    contents.metrics,
    _rows,
    scores.complete,
    scores.possible,
    consistency.consistent,
    scores.exponents,
    _costs,
    _repeated,
)
