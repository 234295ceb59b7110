"""Two methods against each other on every board: who wins, how sure that is, and what would make it sure."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chaosbench.errors import SpecError, unknown_name
from chaosbench.intervals import half_width
from chaosbench.leaderboard.board import Board, Entry, Measure, Ranking
from chaosbench.leaderboard.overall import Method, Runs, key, metrics_of, runs_of, title
from chaosbench.leaderboard.statistics import LEVEL
from chaosbench.leaderboard.superiority import Pairing, least_on_others, on_others, on_these, paired

SIZES = tuple((systems, seeds) for systems in (1, 6, 12, 24) for seeds in (3, 5, 10))
_REPEATS = 100  # resampled campaigns behind each power


@dataclass(frozen=True)
class Duel:
    """Two methods on one board.

    Attributes:
        title: of the board.
        medians: of both, in the first metric; None where the median falls on a diverged run.
        probability: that a run of the first beats one of the second; a tie counts as half.
        p_value: two-sided, of the runs of this board alone.
        seeds: number of runs of both.
    """

    title: str
    medians: tuple[float | None, float | None]
    probability: float
    p_value: float
    seeds: tuple[int, int]


@dataclass(frozen=True)
class Versus:
    """Two methods over all boards that have both.

    Attributes:
        first, second: labels of model and trainer.
        metrics: names of the metrics in which runs are compared, each with the same weight.
        unit, better: of the first metric.
        duels: one per board.
        probability: that a run of the first beats one of the second, the mean over boards.
        interval: of this mean on systems like these, 95 % (Student's t over boards), cut at 0 and 1; None: one board.
        on_these, on_others: two-sided p-values of no difference on these systems, and on systems like these; the
            latter is None where so few systems cannot reach 5 %.
        equal: the share by which scores must differ to count as different.
    """

    first: Method
    second: Method
    metrics: tuple[str, ...]
    unit: str
    better: str
    duels: tuple[Duel, ...]
    probability: float
    interval: tuple[float, float] | None
    on_these: float
    on_others: float | None
    equal: float


@dataclass(frozen=True)
class Power:
    """How often a campaign of this size would tell two methods apart.

    Attributes:
        systems, seeds: the size.
        on_these, on_others: share of such campaigns whose two-sided p-value is at most 5 %, for both questions.
        hours: of one core, for both methods; None where training times are not stored.
    """

    systems: int
    seeds: int
    on_these: float
    on_others: float
    hours: float | None


def method(ranking: Ranking, words: str) -> Method:
    """Return the only method whose title, "trainer on model", has all these words; kinds are matched whole.

    Raises:
        SpecError: where none or several have them.
    """
    methods = dict.fromkeys(key(entry) for board in ranking.boards for entry in board.entries)
    titles = {f"{trainer} on {model}": (model, trainer) for model, trainer in methods}
    if words in titles:
        return titles[words]
    kinds = {one: {label.partition("(")[0] for label in one} for one in methods}
    known = set().union(*kinds.values())

    def fits(word: str, name: str) -> bool:
        return word in kinds[titles[name]] if word in known else word in name

    wanted = [word for word in words.split() if word != "on"]
    found = [one for name, one in titles.items() if wanted and all(fits(word, name) for word in wanted)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise unknown_name("method", words, titles)
    several = "; ".join(f"{trainer} on {model}" for model, trainer in found[:4])
    raise SpecError(f"{words!r} fits {len(found)} methods: {several}; add words of the trainer, the model or a setting")


def versus(ranking: Ranking, first: Method, second: Method, *, metric: str | None, equal: float) -> Versus:
    """Compare two methods on every board that has both.

    Args:
        ranking: the boards.
        first, second: the methods.
        metric: compare in this metric alone; None: in all metrics that every board has.
        equal: the share by which scores must differ to count as different.

    Raises:
        SpecError: where no board has both methods and the metrics.
    """
    names, boards = _shared(ranking, first, second, metric)
    pairings = [runs_of(board, names, first, second, equal=equal).pairing for board in boards]
    duels = [_duel(board, names[0], first, second, pair) for board, pair in zip(boards, pairings, strict=True)]
    chances = [duel.probability for duel in duels]
    enough = 2 * least_on_others(len(duels)) <= LEVEL
    measure = _measure(boards[0], names[0])
    return Versus(
        first=first,
        second=second,
        metrics=names,
        unit=measure.unit,
        better=measure.better,
        duels=tuple(duels),
        probability=statistics.fmean(chances),
        interval=_interval(chances),
        on_these=on_these(pairings).two_sided,
        on_others=on_others(pairings).two_sided if enough else None,
        equal=equal,
    )


def powers(
    ranking: Ranking,
    first: Method,
    second: Method,
    *,
    metric: str | None,
    equal: float,
    sizes: Sequence[tuple[int, int]] = SIZES,
    seed: int = 0,
) -> list[Power]:
    """Return how often campaigns of several sizes would tell two methods apart, if they differ as these runs do.

    Systems are drawn from the boards that have both methods, and runs from those of each board, with replacement.

    Args:
        ranking, first, second, metric, equal: as for `versus`.
        sizes: numbers of systems and of seeds of each campaign.
        seed: of the drawing.

    Raises:
        SpecError: where no board has both methods and the metrics.
    """
    names, boards = _shared(ranking, first, second, metric)
    runs = [runs_of(board, names, first, second, equal=equal) for board in boards]
    generator, seconds = np.random.default_rng(seed), _seconds(boards, first, second)
    return [_power(runs, systems, seeds, seconds, generator) for systems, seeds in sizes]


def _power(
    runs: Sequence[Runs], systems: int, seeds: int, seconds: float | None, generator: np.random.Generator
) -> Power:
    found = [0, 0]
    for _ in range(_REPEATS):
        drawn = [_resampled(runs[index], seeds, generator) for index in generator.integers(len(runs), size=systems)]
        found[0] += on_these(drawn).two_sided <= LEVEL
        found[1] += on_others(drawn).two_sided <= LEVEL
    hours = None if seconds is None else systems * seeds * seconds / 3600
    return Power(systems, seeds, found[0] / _REPEATS, found[1] / _REPEATS, hours)


def _resampled(runs: Runs, seeds: int, generator: np.random.Generator) -> Pairing:
    """Return the wins of so many runs of each method, drawn with replacement."""
    first = generator.integers(runs.first, size=seeds)
    drawn = np.concatenate([first, runs.first + generator.integers(runs.second, size=seeds)])
    return paired(runs.won[np.ix_(drawn, drawn)], seeds, seeds, runs.metrics)


def _shared(ranking: Ranking, first: Method, second: Method, metric: str | None) -> tuple[tuple[str, ...], list[Board]]:
    """Return the metrics to compare in, and the boards that have both methods and those metrics."""
    known = [measure.name for board in ranking.boards for measure in board.measures]
    if metric is not None and metric not in known:
        raise unknown_name("metric of these boards", metric, known, place="--metric")
    both = [board for board in ranking.boards if {first, second} <= {key(entry) for entry in board.entries}]
    names = metrics_of(Ranking(tuple(both)), metric)
    boards = [board for board in both if set(names) <= {measure.name for measure in board.measures}]
    if not boards or not names:
        raise SpecError("no board has both methods with the same metrics, so they cannot be compared")
    return names, boards


def _duel(board: Board, name: str, first: Method, second: Method, pair: Pairing) -> Duel:
    medians = (_median(board, name, first), _median(board, name, second))
    return Duel(title(board), medians, pair.probability, on_these([pair]).two_sided, (pair.first, pair.second))


def _interval(chances: Sequence[float]) -> tuple[float, float] | None:
    if len(chances) < 2:
        return None
    centre, half = statistics.fmean(chances), half_width(statistics.stdev(chances), len(chances))
    return max(0.0, centre - half), min(1.0, centre + half)


def _entries(board: Board) -> Mapping[Method, Entry]:
    return {key(entry): entry for entry in board.entries}


def _measure(board: Board, name: str) -> Measure:
    return next(measure for measure in board.measures if measure.name == name)


def _median(board: Board, name: str, one: Method) -> float | None:
    score = _entries(board)[one].scores[board.measures.index(_measure(board, name))]
    return None if score is None else score.median


def _seconds(boards: Sequence[Board], first: Method, second: Method) -> float | None:
    """Return the mean training time of a seed of both methods together [s]."""
    times = [_entries(board)[one].train_seconds for board in boards for one in (first, second)]
    known = [value for value in times if value is not None and math.isfinite(value)]
    return None if len(known) < len(times) else 2 * statistics.fmean(known)
