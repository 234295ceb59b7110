"""The ranking of models and trainers, one board per system and data, with a test against the best entry."""

import dataclasses
import json
import math
import statistics
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from chaosbench.leaderboard.folder import FINISHED, Stored
from chaosbench.leaderboard.schema import Row
from chaosbench.leaderboard.statistics import Interval, differ, interval, median

Tier = Literal["best", "tied", "unclear", "behind"]


@dataclass(frozen=True)
class Measure:
    """A metric of a board.

    Attributes:
        name, unit, better: as stored.
        floor: the score of the truth itself; None where there is none.
        details: the shares stored with the score, for the truth, by name.
    """

    name: str
    unit: str
    better: Literal["lower", "higher"]
    floor: float | None
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """One metric of one entry.

    Attributes:
        values: one per seed that has a result; None: the seed diverged, or its score is undefined.
        median: of these values, where None is worse than any number; None if the median falls on a diverged seed.
        interval: 95 % interval of the mean (Student's t); None for a single seed or where a seed has no value.
        diverged: how many of the seeds diverged.
        details: median over seeds of each share that is stored with the score, by name, such as "censored_share".
    """

    values: tuple[float | None, ...]
    median: float | None
    interval: Interval | None
    diverged: int = 0
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A model with a trainer on one board.

    Attributes:
        rank: by the median of the board's first metric; equal medians share a rank.
        tier: comparison with the best entry: "tied" if Welch's t-test does not find a difference (p >= 0.05), "unclear"
            if there is no test, because of a single seed or a diverged one.
        seeds: how many seeds were run.
        diverged: how many of them diverged; they count as worse than any value.
        failed: how many have no result (failed, crashed, timeout, oom, skipped); medians ignore them.
        train_seconds: median over seeds [s].
        scores: in the order of the board's measures; None where no seed has the score.
    """

    rank: int
    tier: Tier
    model: str
    trainer: str
    seeds: int
    diverged: int
    failed: int
    parameters: int
    train_seconds: float | None
    scores: tuple[Score | None, ...]

    @property
    def failed_share(self) -> float:
        """The share of seeds that diverged or have no result."""
        return (self.diverged + self.failed) / self.seeds


@dataclass(frozen=True)
class Board:
    """Entries with the same system, data and evaluation, best first."""

    system: str
    data: str
    evaluation: str  # the content of `EvaluationSpec` as JSON
    suites: tuple[str, ...]
    measures: tuple[Measure, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Ranking:
    """All boards of a results directory."""

    boards: tuple[Board, ...]

    def to_json(self) -> str:
        """Return the content as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False)


@dataclass(frozen=True)
class _Seed:
    """The run of one seed, and its final scores by metric."""

    run: Row
    scores: dict[str, Row]
    details: dict[str, dict[str, Row]]  # by metric and name


def rank(experiments: Iterable[Stored], *, identities: Container[str] | None = None) -> Ranking:
    """Rank stored experiments.

    Experiments with the same system, data and evaluation share a board, whichever suites they belong to. Runs with the
    same labels of model and trainer are one entry of that board. The first metric of the newest experiment ranks them.

    Args:
        experiments: as read from a results directory.
        identities: rank only the experiments with these identities; None ranks all.
    """
    together: dict[tuple[str, str, str], list[Stored]] = {}
    for stored in experiments:
        if identities is not None and stored.identity not in identities:
            continue
        evaluation = json.dumps(stored.experiment["evaluation"], sort_keys=True)
        together.setdefault((stored.runs[0]["system"], stored.runs[0]["data"], evaluation), []).append(stored)
    return Ranking(tuple(_board(key, together[key]) for key in sorted(together)))


def _board(key: tuple[str, str, str], experiments: Sequence[Stored]) -> Board:
    """Return the board of experiments that share system, data and evaluation."""
    newest_first = sorted(experiments, key=lambda stored: stored.runs[0]["started"], reverse=True)
    finals = [row for stored in newest_first for row in stored.records if _is_score(row)]
    measures = _measures(finals, [row for stored in newest_first for row in stored.records])
    entries: dict[tuple[str, str], dict[int, _Seed]] = {}
    for seed in _seeds(newest_first):
        by_number = entries.setdefault((seed.run["model"], seed.run["trainer"]), {})
        newer = by_number.get(seed.run["seed"])
        # A seed counts once: its newest result, or else its newest failure.
        if newer is None or (newer.run["status"] not in FINISHED and seed.run["status"] in FINISHED):
            by_number[seed.run["seed"]] = seed
    lowest = [_lowest(measure.name, finals) for measure in measures]
    unranked = [_entry(labels, list(seeds.values()), measures, lowest) for labels, seeds in entries.items()]
    suites = tuple(sorted({stored.runs[0]["suite"] for stored in experiments}))
    return Board(*key, suites, measures, _ranked(unranked, measures))


def _is_score(row: Row) -> bool:
    return row["update"] is None and bool(row["better"])


def _seeds(experiments: Iterable[Stored]) -> Iterable[_Seed]:
    for stored in experiments:
        finals = [row for row in stored.records if _is_score(row)]
        names = {row["name"] for row in finals}
        for run in stored.runs:
            own = [row for row in stored.records if row["seed"] == run["seed"]]
            scores = {row["name"]: row for row in finals if row["seed"] == run["seed"]}
            yield _Seed(run, scores, {name: details_of(name, own) for name in names})


def details_of(name: str, records: Iterable[Row]) -> dict[str, Row]:
    """Return the rows of the shares that are stored with a score of this name, by their own names."""
    prefix = f"{name}."
    return {row["name"].removeprefix(prefix): row for row in records if row["name"].startswith(prefix)}


def _measures(finals: Sequence[Row], records: Sequence[Row]) -> tuple[Measure, ...]:
    """Return the metrics in the order of the records; those without any value or floor come last.

    A metric in a published convention comes after the same metric with its default settings, where both are stored, so
    that it does not decide the ranks.
    """
    by_name: dict[str, list[Row]] = {}
    for row in finals:
        by_name.setdefault(row["name"], []).append(row)
    measures: list[Measure] = []
    undefined: list[Measure] = []
    for name, rows in by_name.items():
        floors = [row["floor"] for row in rows if row["floor"] is not None]
        shares = {detail: row["floor"] for detail, row in details_of(name, records).items() if row["floor"] is not None}
        floor = statistics.median(floors) if floors else None
        measure = Measure(name, rows[0]["unit"], rows[0]["better"], floor, shares)
        defined = floors or any(row["value"] is not None for row in rows)
        (measures if defined else undefined).append(measure)
    return (*_defaults_first(measures), *undefined)


def _defaults_first(measures: Sequence[Measure]) -> list[Measure]:
    """Return the metrics in order, but the default of a kind before its published conventions."""
    by_name, ordered = {measure.name: measure for measure in measures}, dict[str, Measure]()
    for measure in measures:
        kind, _, settings = measure.name.partition("(")
        if "convention=" in settings and kind in by_name:
            ordered.setdefault(kind, by_name[kind])
        ordered.setdefault(measure.name, measure)
    return list(ordered.values())


def _lowest(name: str, finals: Sequence[Row]) -> float:
    """Return the value at which intervals are cut off: 0 for a metric without negative values."""
    numbers = [row[field] for row in finals if row["name"] == name for field in ("value", "floor")]
    return 0.0 if all(number is None or number >= 0 for number in numbers) else -math.inf


def _entry(labels: tuple[str, str], seeds: list[_Seed], measures: Sequence[Measure], lowest: Sequence[float]) -> Entry:
    """Return an entry that has no rank yet."""
    runs = [seed.run for seed in seeds]
    times = [run["train_seconds"] for run in runs if run["status"] in FINISHED and run["train_seconds"] is not None]
    return Entry(
        rank=0,
        tier="behind",
        model=labels[0],
        trainer=labels[1],
        seeds=len(runs),
        diverged=sum(run["status"] == "diverged" for run in runs),
        failed=sum(run["status"] not in FINISHED for run in runs),
        parameters=max(run["parameters"] for run in runs),
        train_seconds=statistics.median(times) if times else None,
        scores=tuple(_score(measure, seeds, low) for measure, low in zip(measures, lowest, strict=True)),
    )


def _score(measure: Measure, seeds: Iterable[_Seed], lowest: float) -> Score | None:
    """Return the score of an entry; a diverged seed counts as the worst, whatever its record, and without one."""
    values: list[float | None] = []
    shares: dict[str, list[float]] = {}
    diverged = 0
    for seed in seeds:
        row, lost = seed.scores.get(measure.name), seed.run["status"] == "diverged"
        if (row is None and not lost) or (row is not None and row["value"] is None and row["floor"] is None):
            continue
        values.append(None if row is None or lost else row["value"])
        diverged += lost
        for name, detail in seed.details.get(measure.name, {}).items():
            if detail["value"] is not None:
                shares.setdefault(name, []).append(detail["value"])
    if not values:
        return None
    return Score(
        values=tuple(values),
        median=median(values, better=measure.better),
        interval=interval(values, lowest=lowest),
        diverged=diverged,
        details={name: statistics.median(numbers) for name, numbers in shares.items()},
    )


def _ranked(entries: Sequence[Entry], measures: Sequence[Measure]) -> tuple[Entry, ...]:
    """Sort entries by the median of the first metric, then by the share of failed seeds, then by label."""
    sign = -1 if measures and measures[0].better == "higher" else 1

    def key(entry: Entry) -> tuple[bool, float]:
        score = entry.scores[0] if entry.scores else None
        return (True, 0.0) if score is None or score.median is None else (False, sign * score.median)

    ordered = sorted(entries, key=lambda entry: (key(entry), entry.failed_share, entry.model, entry.trainer))
    keys = [key(entry) for entry in ordered]
    return tuple(
        dataclasses.replace(entry, rank=1 + keys.index(own), tier=_tier(entry, ordered[0], own == keys[0]))
        for entry, own in zip(ordered, keys, strict=True)
    )


def _tier(entry: Entry, best: Entry, first: bool) -> Tier:
    """Compare an entry with the best one."""
    if first:
        return "best"
    own, other = entry.scores[0], best.scores[0]
    if own is None or own.median is None or other is None:
        return "behind"
    apart = differ(own.values, other.values)
    return "unclear" if apart is None else "behind" if apart else "tied"
