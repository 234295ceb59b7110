"""Checks of a submission that need neither training nor plug-ins: what it claims must be possible and fit together."""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chaosbench.boards.lock import Demand, Lock
from chaosbench.leaderboard.folder import FINISHED, Stored
from chaosbench.leaderboard.schema import Row
from chaosbench.leaderboard.submissions import Submission

STATUSES = ("ok", "diverged", "failed", "crashed", "timeout", "oom", "skipped")
_FASTEST = 1e-6  # [s] of one update; no machine is faster
# A divergence D that is estimated from n samples has a standard error of about sqrt(2 D / n) where both densities are
# close, so that four standard errors below D are never below -16 / (2 n). Below 0, an estimate ranks as its floor.
_SAMPLED = 16 / (2 * 1_000)  # [nats]; n = 1,000 as in `MixtureDivergence`
_ROUNDING = 1e-6  # relative, of numbers that are computed from each other
_EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)  # before chaosbench
_AVERAGED = ("state_space_divergence", "power_spectrum_distance")  # scores that are the median over their free runs
_UNIT_INTERVAL = ("power_spectrum_distance",)  # Hellinger distances


@dataclass(frozen=True)
class Finding:
    """Something wrong with a submission.

    Attributes:
        check: the name of the check.
        what: one sentence that names the culprit.
    """

    check: str
    what: str


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
            what = f"{_title(stored)} is on no board of the suite {lock.suite!r}: its system, data or evaluation differ"
            found.append(Finding("board", what))
            continue
        for check in _CHECKS:
            found += _limited(check(stored, demand))
    found += _limited(_seeds_complete(submission, lock))
    found += _limited(_copied(submission, others))
    return found


def _limited(findings: Iterator[Finding], most: int = 3) -> list[Finding]:
    """Return the first findings; a submission with one mistake in every row would otherwise fill the screen."""
    return [finding for finding, _ in zip(findings, range(most), strict=False)]


def _title(stored: Stored) -> str:
    run = stored.runs[0]
    return f"{run['trainer']} on {run['model']}, {run['system']}"


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
    """Rows say what the experiment says."""
    del demand
    for run in stored.runs:
        if run["status"] not in STATUSES:
            yield Finding("status", f"{_title(stored)}, seed {run['seed']}: there is no status {run['status']!r}")
        for noun in ("model", "trainer", "system"):
            kind = stored.experiment[noun]["kind"]
            if run[noun].partition("(")[0] != kind and stored.experiment[noun].get("name") is None:
                yield Finding("labels", f"{_title(stored)}: a row calls the {noun} {run[noun]!r}, and it is a {kind}")
        own = [row for row in stored.records if row["seed"] == run["seed"] and row["update"] is None]
        if len({row["name"] for row in own}) < len(own):
            yield Finding("duplicates", f"{_title(stored)}, seed {run['seed']} has a number twice")


def _metrics(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """A run with a result has every metric that the board demands, and no better one of its own."""
    for run in stored.runs:
        names = {row["name"] for row in stored.records if row["seed"] == run["seed"] and _is_score(row)}
        if run["status"] in FINISHED and (lacking := [name for name in demand.metrics if name not in names]):
            yield Finding("metrics", f"{_title(stored)}, seed {run['seed']} lacks {', '.join(lacking)}")


def _possible(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """Numbers lie where such numbers can lie."""
    for row in stored.records:
        value, where = row["value"], f"{_title(stored)}, seed {row['seed']}: {row['name']}"
        if value is None or not _is_score(row):
            continue
        if not math.isfinite(value):
            yield Finding("values", f"{where} is {value}; a number that is not defined is null")
        elif row["better"] == "lower" and value < (-_SAMPLED if "divergence" in row["name"] else 0):
            yield Finding("values", f"{where} is {value:g}, and errors and divergences are never negative")
        elif row["name"].partition("(")[0] in _UNIT_INTERVAL and value > 1 + _ROUNDING:
            yield Finding("values", f"{where} is {value:g}, and such distances end at 1")
        elif row["unit"] == "Lyapunov times" and demand.exponents and value > _longest(stored, demand):
            yield Finding("values", f"{where} is {value:g}, longer than every forecast of this evaluation")


def _longest(stored: Stored, demand: Demand) -> float:
    """Return the length of the longest forecast [Lyapunov times]; a test orbit bounds it."""
    horizon = stored.experiment["evaluation"].get("horizon") or stored.experiment["data"].get("test_length", math.inf)
    assert demand.exponents, "asked for chaotic systems only"
    return float(horizon) * demand.dt * demand.exponents[0] * (1 + 1e-3)


def _consistent(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """Numbers that are computed from each other agree."""
    for run in stored.runs:
        values = {row["name"]: row["value"] for row in stored.records if row["seed"] == run["seed"]}
        where = f"{_title(stored)}, seed {run['seed']}"
        for name in _AVERAGED:
            parts = [value for key, value in values.items() if key.startswith("orbit.") and key.endswith(f".{name}")]
            known = [part for part in parts if part is not None]
            score = values.get(name)
            if score is not None and known and len(known) == len(parts) and _differs(score, statistics.median(known)):
                yield Finding("consistency", f"{where}: {name} is {score:g}, and the median of its free runs is not")
        exponent, error = values.get("diagnosis.lyapunov_exponent_1"), values.get("largest_exponent_error")
        if demand.exponents and exponent is not None and error is not None and demand.exponents[0] > 0:
            expected = abs(exponent - demand.exponents[0]) / demand.exponents[0]
            if abs(error - expected) > 0.01 + 0.01 * expected:
                what = (
                    f"{where}: the error of its largest exponent is {error:g}, and of {exponent:g} it is {expected:g}"
                )
                yield Finding("consistency", what)


def _exponents(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """The truth beside the scores is the certified one."""
    if not demand.exponents:
        return
    floors = {row["floor"] for row in stored.records if row["name"] == "diagnosis.lyapunov_exponent_1"} - {None}
    for floor in sorted(floors):
        if abs(floor - demand.exponents[0]) > 0.02 * abs(demand.exponents[0]):
            what = f"{_title(stored)}: it takes {floor:g} for the largest exponent of {demand.system}"
            yield Finding("exponents", f"{what}, which is certified as {demand.exponents[0]:g}")


def _costs(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """Updates take time, and runs lie between the first version and now."""
    del demand
    latest = datetime.now(UTC) + timedelta(days=1)
    for run in stored.runs:
        where = f"{_title(stored)}, seed {run['seed']}"
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
    if all(run["parameters"] == 0 for run in stored.runs):
        return
    scores: dict[tuple[float | None, ...], list[int]] = {}
    for run in stored.runs:
        own = {row["name"]: row["value"] for row in stored.records if row["seed"] == run["seed"] and _is_score(row)}
        if run["status"] == "ok":
            scores.setdefault(tuple(own.get(name) for name in demand.metrics), []).append(run["seed"])
    copies = [seeds for seeds in scores.values() if len(seeds) > 1]
    if copies and len(scores) > 1:
        listed = ", ".join(map(str, copies[0]))
        yield Finding("copies", f"{_title(stored)}: the seeds {listed} have the same numbers, and others do not")


def _copied(submission: Submission, others: Sequence[Submission]) -> Iterator[Finding]:
    """The numbers are not those of somebody else."""
    known = {
        numbers: other.folder.name
        for other in others
        if other.manifest.name != submission.manifest.name
        for stored in other.experiments
        for numbers in _fingerprints(stored)
    }
    for stored in submission.experiments:
        for numbers in _fingerprints(stored):
            if numbers in known:
                yield Finding("copies", f"{_title(stored)}: these numbers were handed in before, in {known[numbers]!r}")


def _fingerprints(stored: Stored) -> Iterator[tuple[object, ...]]:
    """Yield the scores of each run that depends on its seed, with its system."""
    by_seed: dict[int, list[Row]] = {}
    for row in stored.records:
        if _is_score(row):
            by_seed.setdefault(row["seed"], []).append(row)
    prints = [
        (" ".join(stored.sources), *sorted((row["name"], repr(row["value"])) for row in own))
        for own in by_seed.values()
        if any(row["value"] is not None for row in own)
    ]
    if len(set(prints)) == len(prints) > 1:
        yield from prints


def _is_score(row: Row) -> bool:
    return row["update"] is None and bool(row["better"])


def _differs(one: float, other: float) -> bool:
    return abs(one - other) > _ROUNDING * max(abs(one), abs(other), 1e-12)


_CHECKS: tuple[Callable[[Stored, Demand], Iterator[Finding]], ...] = (
    _rows,
    _metrics,
    _possible,
    _consistent,
    _exponents,
    _costs,
    _repeated,
)
