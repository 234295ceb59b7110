"""The ranking of models and trainers, one board per system and data, with a test against the best entry."""

import dataclasses
import math
import statistics
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass

from chaosbench.leaderboard.board import Board, Entry, Measure, Ranking, Score, Tier
from chaosbench.leaderboard.folder import FAILED, FINISHED, BoardKey, Stored
from chaosbench.leaderboard.schema import Row
from chaosbench.leaderboard.statistics import (
    Comparison,
    Sample,
    Scale,
    compare,
    corrected_level,
    interval,
    median,
)

# Metrics of forecasts, whose floor is the score of an unrelated orbit: the worst that is useful, not the best. Newer
# results name them by the share that is stored with every metric of forecasts.
_FORECAST_ERRORS = {"prediction_error", "normalised_error", "scaled_error", "symmetric_percentage_error"}
_FORECAST_SHARE = "lost_share"


@dataclass(frozen=True)
class _Seed:
    """The run of one seed, and its final scores by metric."""

    run: Row
    scores: dict[str, Row]
    details: dict[str, dict[str, Row]]  # by metric and name
    orbits: dict[str, tuple[float | None, ...]]  # by metric, one score per test orbit


def rank(
    experiments: Iterable[Stored], *, identities: Container[str] | None = None, failed_as_worst: bool = False
) -> Ranking:
    """Rank stored experiments.

    Experiments with the same system, data and evaluation, by their content and not by their labels, share a board,
    whichever suites they belong to. Runs with the same labels of model and trainer are one entry of that board. The
    first metric of the newest experiment ranks them.

    Args:
        experiments: as read from a results directory.
        identities: rank only the experiments with these identities; None ranks all.
        failed_as_worst: count a seed without a result as worse than any number where other seeds of its entry have
            one, as published boards do; otherwise medians are over the seeds that have a result.
    """
    together: dict[BoardKey, list[Stored]] = {}
    for stored in experiments:
        if identities is not None and stored.identity not in identities:
            continue
        together.setdefault(stored.board, []).append(stored)
    return Ranking(tuple(_board(key, together[key], failed_as_worst) for key in sorted(together)))


def _board(key: BoardKey, experiments: Sequence[Stored], failed_as_worst: bool) -> Board:
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
    lost = ("diverged", *(FAILED if failed_as_worst else ()))
    unranked = [_entry(labels, list(seeds.values()), measures, lowest, lost) for labels, seeds in entries.items()]
    suites = tuple(sorted({stored.runs[0]["suite"] for stored in experiments}))
    level = corrected_level(sum(bool(entry.scores) and entry.scores[0] is not None for entry in unranked))
    entries_in_order = _ranked(unranked, measures, level)
    return Board(key.system, key.data, key.evaluation, suites, measures, entries_in_order, level, key.digest)


def _is_score(row: Row) -> bool:
    return row["update"] is None and bool(row["better"])


def _seeds(experiments: Iterable[Stored]) -> Iterable[_Seed]:
    for stored in experiments:
        finals = [row for row in stored.records if _is_score(row)]
        names = {row["name"] for row in finals}
        for run in stored.runs:
            own = [row for row in stored.records if row["seed"] == run["seed"] and row["update"] is None]
            scores = {row["name"]: row for row in finals if row["seed"] == run["seed"]}
            details = {name: details_of(name, own) for name in names}
            # All seeds of a folder are trained together; earlier versions did not store their number.
            whole = run | {"seeds_together": run["seeds_together"] or len(stored.runs)}
            yield _Seed(whole, scores, details, {name: _orbits_of(name, own) for name in names})


def details_of(name: str, records: Iterable[Row]) -> dict[str, Row]:
    """Return the rows of the shares that are stored with a score of this name, by their own names."""
    prefix = f"{name}."
    return {row["name"].removeprefix(prefix): row for row in records if row["name"].startswith(prefix)}


def _orbits_of(name: str, records: Iterable[Row]) -> tuple[float | None, ...]:
    """Return the scores on single test orbits that are stored for a metric, in the order of the orbits."""
    by_orbit = {}
    for row in records:
        room, _, rest = row["name"].partition(".")
        orbit, _, metric = rest.partition(".")
        if room == "orbit" and orbit.isdecimal() and metric == name:
            by_orbit[int(orbit)] = row["value"]
    return tuple(by_orbit[orbit] for orbit in sorted(by_orbit))


def _measures(finals: Sequence[Row], records: Sequence[Row]) -> tuple[Measure, ...]:
    """Return the metrics in the order of the records; those without resolution, any value or floor come last.

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
        shares = _true_details(name, records)
        floor = statistics.median(floors) if floors else None
        numbers = [row[field] for row in rows for field in ("value", "floor")]
        forecast = _FORECAST_SHARE in shares or name.partition("(")[0] in _FORECAST_ERRORS
        scale = Scale.of(numbers, better=rows[0]["better"], floor=None if forecast else floor)
        measure = Measure(name, rows[0]["unit"], scale.better, floor, shares, scale.logarithmic, scale.floor)
        defined = floors or any(row["value"] is not None for row in rows)
        (measures if defined else undefined).append(measure)
    ordered = sorted(_defaults_first(measures), key=lambda measure: not measure.resolved)  # stable
    return (*ordered, *undefined)


def _true_details(name: str, records: Sequence[Row]) -> dict[str, float]:
    """Return the shares that the truth has with a score, by their names: the median over runs, if it is defined."""
    floors: dict[str, list[float]] = {}
    for row in records:
        metric, _, detail = row["name"].rpartition(".")
        if metric == name and row["update"] is None and row["floor"] is not None:
            floors.setdefault(detail, []).append(row["floor"])
    return {detail: statistics.median(values) for detail, values in floors.items()}


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


def _entry(
    labels: tuple[str, str],
    seeds: list[_Seed],
    measures: Sequence[Measure],
    lowest: Sequence[float],
    lost: Container[str],
) -> Entry:
    """Return an entry that has no rank yet; seeds whose status is in `lost` count as worst, if any has a result."""
    runs = [seed.run for seed in seeds]
    worst = lost if any(run["status"] in FINISHED for run in runs) else ()
    return Entry(
        rank=0,
        tier="behind",
        model=labels[0],
        trainer=labels[1],
        seeds=len(runs),
        diverged=sum(run["status"] == "diverged" for run in runs),
        failed=sum(run["status"] not in FINISHED for run in runs),
        parameters=max((run["parameters"] for run in runs if run["parameters"] is not None), default=None),
        train_seconds=_median_cost(runs, lambda run: run["train_seconds"]),
        scores=tuple(_score(measure, seeds, low, worst) for measure, low in zip(measures, lowest, strict=True)),
        fixed=_is_fixed(seeds),
        seeds_together=tuple(sorted({run["seeds_together"] for run in runs})),
        batch_seconds=_median_cost(runs, _batch_seconds),
        update_seconds=_median_cost(runs, lambda run: _batch_seconds(run) / run["updates"] if run["updates"] else None),
    )


def _batch_seconds(run: Row) -> float:
    return float(run["train_seconds"] * run["seeds_together"])


def _median_cost(runs: Iterable[Row], cost: Callable[[Row], float | None]) -> float | None:
    """Return the median over the seeds with a result and a training time."""
    timed = (run for run in runs if run["status"] in FINISHED and run["train_seconds"] is not None)
    costs = [seconds for seconds in map(cost, timed) if seconds is not None]
    return statistics.median(costs) if costs else None


def _is_fixed(seeds: Iterable[_Seed]) -> bool:
    """Return True if several seeds have equal scores in every metric, at least one of which is a number."""
    rows = [tuple(sorted((name, row["value"]) for name, row in seed.scores.items())) for seed in seeds if seed.scores]
    return len(rows) > 1 and len(set(rows)) == 1 and any(value is not None for _, value in rows[0])


def _score(measure: Measure, seeds: Iterable[_Seed], lowest: float, worst: Container[str]) -> Score | None:
    """Return the score of an entry; a seed of one of the `worst` statuses counts as such, whatever its record."""
    values: list[float | None] = []
    orbits: list[tuple[float | None, ...]] = []
    shares: dict[str, list[float]] = {}
    diverged = 0
    for seed in seeds:
        row, lost = seed.scores.get(measure.name), seed.run["status"] in worst
        if (row is None and not lost) or (row is not None and row["value"] is None and row["floor"] is None):
            continue
        values.append(None if row is None or lost else row["value"])
        by_orbit = seed.orbits.get(measure.name, ())
        orbits.append((None,) * len(by_orbit) if lost else by_orbit)
        diverged += lost
        for name, detail in seed.details.get(measure.name, {}).items():
            if detail["value"] is not None:
                shares.setdefault(name, []).append(detail["value"])
    if not values:
        return None
    return Score(
        values=tuple(values),
        median=median(values, better=measure.better),
        interval=interval(values, logarithmic=measure.logarithmic, lowest=lowest),
        diverged=diverged,
        details={name: statistics.median(numbers) for name, numbers in shares.items()},
        # A seed without these rows, such as one of an earlier version, leaves nothing to pair.
        orbits=tuple(orbits) if len({len(own) for own in orbits}) == 1 and orbits[0] else (),
    )


def _ranked(entries: Sequence[Entry], measures: Sequence[Measure], level: float) -> tuple[Entry, ...]:
    """Sort entries by the median of the first metric, then by the share of failed seeds, then by label."""
    sign = -1 if measures and measures[0].better == "higher" else 1

    def key(entry: Entry) -> tuple[bool, float]:
        score = entry.scores[0] if entry.scores else None
        return (True, 0.0) if score is None or score.median is None else (False, sign * score.median)

    ordered = sorted(entries, key=lambda entry: (key(entry), entry.failed_share, entry.model, entry.trainer))
    keys = [key(entry) for entry in ordered]
    ranked = []
    for entry, own in zip(ordered, keys, strict=True):
        comparison = None if own == keys[0] else _comparison(entry, ordered[0], measures[0], level)
        tier = _tier(comparison, level)
        ranked.append(dataclasses.replace(entry, rank=1 + keys.index(own), tier=tier, comparison=comparison))
    return tuple(ranked)


def _comparison(entry: Entry, best: Entry, measure: Measure, level: float) -> Comparison:
    """Test whether an entry is worse than the best one in the first metric."""
    samples = []
    for one in (entry, best):
        score = one.scores[0]
        if score is None:
            return Comparison(None, "", "no seed has a result")
        samples.append(Sample(score.values, score.orbits, one.fixed))
    return compare(*samples, scale=Scale(measure.better, measure.logarithmic, measure.least), level=level)


def _tier(comparison: Comparison | None, level: float) -> Tier:
    if comparison is None:
        return "best"
    if comparison.p_value is None:
        return "unclear"
    return "behind" if comparison.p_value <= level else "tied"
