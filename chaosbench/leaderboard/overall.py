"""The ranking over systems: how often each method wins, and which ranks the runs leave open.

Every claim is about pairs: one method beats another on the systems at hand, or on systems like them. The interval of a
method's rank follows from those claims about it that hold together with 95 % confidence (Holm's correction), so that
it covers the true rank in 95 % of cases at least, however close the others are.

Source:
    Mogstad, Romano, Shaikh & Wilhelm 2024, Review of Economic Studies 91, 476 (ranks from simultaneous comparisons).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from chaosbench.leaderboard.board import Board, Entry, Measure, Ranking
from chaosbench.leaderboard.statistics import LEVEL, Scale
from chaosbench.leaderboard.superiority import (
    EQUAL,
    Outcomes,
    Pairing,
    Tails,
    holm,
    least_on_others,
    on_others,
    on_these,
    outcomes,
    paired,
)

Method = tuple[str, str]  # labels of model and trainer
RankInterval = tuple[int, int]
_BoardCosts = list[tuple[dict[Method, list[float]], bool]]


@dataclass(frozen=True)
class Standing:
    """A method over all systems.

    Attributes:
        model, trainer: labels.
        wins: probability that its run beats one of another method, the mean over systems and other methods.
        rank: by `wins`.
        on_these: the ranks that the seeds leave open, on these systems.
        on_others: the ranks that the systems leave open, on systems like these.
        tier: 1 for the first method by `wins` and all that are not found to be worse on these systems; then the next.
        lost: share of its runs that diverged or failed.
    """

    model: str
    trainer: str
    wins: float
    rank: int
    on_these: RankInterval
    on_others: RankInterval
    tier: int
    lost: float


@dataclass(frozen=True)
class Missing:
    """A method that is not ranked, because it lacks the boards with these titles."""

    model: str
    trainer: str
    boards: tuple[str, ...]


@dataclass(frozen=True)
class Overall:
    """A ranking over several boards.

    Attributes:
        metrics: names of the metrics in which runs are compared, each with the same weight.
        boards: titles of the boards.
        standings: best first.
        missing: methods that lack a board; they are not ranked.
        enough: whether there are enough systems for a claim about systems like these.
    """

    metrics: tuple[str, ...]
    boards: tuple[str, ...]
    standings: tuple[Standing, ...]
    missing: tuple[Missing, ...]
    enough: bool


def overall(ranking: Ranking, metric: str | None = None) -> Overall | None:
    """Rank the methods of a ranking over its boards.

    No metric alone is safe: shuffled data have a perfect state-space divergence. So runs are compared in all metrics,
    where `skill` stands for the valid prediction time, of which it is a share.

    Args:
        ranking: the boards.
        metric: compare in this metric alone; boards that lack it are left out.

    Returns:
        None for fewer than two boards, or if fewer than two methods are on all of them.
    """
    names = metrics_of(ranking, metric)
    boards = [board for board in ranking.boards if names and set(names) <= {one.name for one in board.measures}]
    everyone = list(dict.fromkeys(key(entry) for board in boards for entry in board.entries))
    present = [{key(entry): entry for entry in board.entries} for board in boards]
    methods = [one for one in everyone if all(one in board for board in present)]
    if len(boards) < 2 or len(methods) < 2:
        return None
    titles = [title(board) for board in boards]
    missing = [Missing(*one, _lacking(one, titles, present)) for one in everyone if one not in methods]
    table = _Table(methods, boards, names)
    return Overall(
        metrics=names,
        boards=tuple(titles),
        standings=table.standings([_lost([board[one] for board in present]) for one in methods]),
        missing=tuple(missing),
        enough=least_on_others(len(boards)) <= LEVEL / (2 * (len(methods) - 1)),
    )


def metrics_of(ranking: Ranking, metric: str | None) -> tuple[str, ...]:
    """Return the metrics in which runs are compared: the given one, or those of every board."""
    if metric is not None:
        return (metric,)
    names = [[measure.name for measure in board.measures] for board in ranking.boards]
    shared = [name for name in (names[0] if names else []) if all(name in others for others in names)]
    return tuple(name for name in shared if name != "valid_prediction_time" or "skill" not in shared)


def key(entry: Entry) -> Method:
    """Return what tells the methods of a board apart."""
    return entry.model, entry.trainer


def title(board: Board) -> str:
    """Return the system, and the data where they are not the usual ones."""
    return board.system if board.data == "data" else f"{board.system}, {board.data}"


@dataclass(frozen=True)
class Runs:
    """The runs of two methods on a board.

    Attributes:
        won: the outcomes of all pairs of runs `(first + second, first + second)`, summed over metrics.
        first, second: number of runs of each method.
        metrics: number of metrics.
    """

    won: Outcomes
    first: int
    second: int
    metrics: int

    @property
    def pairing(self) -> Pairing:
        """The wins of the two methods."""
        return paired(self.won, self.first, self.second, self.metrics)


def runs_of(board: Board, names: Sequence[str], first: Method, second: Method, *, equal: float = EQUAL) -> Runs:
    """Return the runs of two methods on a board, compared in these metrics."""
    return _runs(_all_costs(board, names), first, second, equal)


def costs_of(board: Board, measure: Measure) -> dict[Method, list[float]]:
    """Return a cost for each run of each method, infinite for runs that diverged or failed."""
    scale = Scale(measure.better, measure.logarithmic, measure.least)
    index = board.measures.index(measure)
    found = {}
    for entry in board.entries:
        score = entry.scores[index]
        values = () if score is None else score.values
        lost = [math.inf] * max(0, entry.seeds - len(values))
        found[key(entry)] = [scale.cost(value) for value in values] + lost
    return found


def _all_costs(board: Board, names: Sequence[str]) -> _BoardCosts:
    """Return the costs of all runs in each metric, and whether they are logarithms."""
    return [(costs_of(board, one), one.logarithmic) for one in board.measures if one.name in names]


def _runs(costs: _BoardCosts, first: Method, second: Method, equal: float) -> Runs:
    each = [outcomes([*one[first], *one[second]], logarithmic=log, equal=equal) for one, log in costs]
    return Runs(sum(each[1:], each[0]), len(costs[0][0][first]), len(costs[0][0][second]), len(each))


class _Table:
    """All pairs of methods.

    Args:
        methods: those that are on all boards.
        boards: the boards.
        names: of the metrics.
    """

    def __init__(self, methods: Sequence[Method], boards: Sequence[Board], names: Sequence[str]) -> None:
        self._methods = methods
        costs = [_all_costs(board, names) for board in boards]
        self._pairs = {
            (one, other): [_runs(board, one, other, EQUAL).pairing for board in costs]
            for one, other in combinations(methods, 2)
        }

    def standings(self, lost: Sequence[float]) -> tuple[Standing, ...]:
        """Return the standing of each method, best first, given the share of runs that each lost."""
        wins = self._wins()
        order = sorted(range(len(self._methods)), key=lambda index: -wins[self._methods[index]])
        these, others = self._p_values(on_these), self._p_values(on_others)
        in_order = [self._methods[index] for index in order]
        tiers = _tiers(in_order, these)
        return tuple(
            Standing(
                *self._methods[index],
                wins=wins[self._methods[index]],
                rank=1 + sum(value > wins[self._methods[index]] for value in wins.values()),
                on_these=self._interval(self._methods[index], these),
                on_others=self._interval(self._methods[index], others),
                tier=tiers[self._methods[index]],
                lost=lost[index],
            )
            for index in order
        )

    def _wins(self) -> dict[Method, float]:
        """Return for each method the probability that its run beats one of another method."""
        sums = dict.fromkeys(self._methods, 0.0)
        for (one, other), pairings in self._pairs.items():
            chance = sum(pair.probability for pair in pairings) / len(pairings)
            sums[one] += chance
            sums[other] += 1 - chance
        return {one: total / (len(self._methods) - 1) for one, total in sums.items()}

    def _p_values(self, test: Callable[[Sequence[Pairing]], Tails]) -> dict[tuple[Method, Method], float]:
        """Return the p-value of each claim that the first method of a pair beats the second."""
        found = {}
        for (one, other), pairings in self._pairs.items():
            found[one, other], found[other, one] = test(pairings)
        return found

    def _interval(self, one: Method, p_values: Mapping[tuple[Method, Method], float]) -> RankInterval:
        """Return the ranks that remain after all claims about a method that hold together."""
        others = [other for other in self._methods if other != one]
        claims = [p_values[other, one] for other in others] + [p_values[one, other] for other in others]
        held = holm(claims, LEVEL)
        return 1 + sum(held[: len(others)]), len(self._methods) - sum(held[len(others) :])


def _tiers(methods: Sequence[Method], p_values: Mapping[tuple[Method, Method], float]) -> dict[Method, int]:
    """Return the tier of each method: a new one begins with the first that its tier's first method beats.

    All pairs are tested together, because the first method is selected by the data.
    """
    pairs = list(p_values)
    beaten = dict(zip(pairs, holm([p_values[pair] for pair in pairs], LEVEL), strict=True))
    tiers: dict[Method, int] = {}
    first, tier = methods[0], 1
    for one in methods:
        if one != first and beaten[first, one]:
            first, tier = one, tier + 1
        tiers[one] = tier
    return tiers


def _lacking(one: Method, titles: Sequence[str], present: Sequence[Mapping[Method, Entry]]) -> tuple[str, ...]:
    return tuple(name for name, entries in zip(titles, present, strict=True) if one not in entries)


def _lost(entries: Sequence[Entry]) -> float:
    return sum(entry.diverged + entry.failed for entry in entries) / sum(entry.seeds for entry in entries)
