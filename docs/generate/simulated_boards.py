"""Simulated boards, the tests to compare their entries, and how often these are right."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Protocol

import numpy as np
from scipy.special import stdtr

from chaosbench.leaderboard.significance import variance
from chaosbench.leaderboard.statistics import LEVEL, Sample, Scale, compare, corrected_level, interval, median

Generator = np.random.Generator


@dataclass(frozen=True)
class Scores:
    """A distribution of scores over seeds.

    Attributes:
        name: as printed.
        deviation: standard deviation of the scores, or of their logarithms.
        floor: of lognormal scores with median 1; None: the scores are normal with mean 0.
    """

    name: str
    deviation: float = 1.0
    floor: float | None = None

    @property
    def scale(self) -> Scale:
        """The scale on which these scores are compared."""
        return Scale("lower", logarithmic=self.floor is not None, floor=self.floor)

    @property
    def mean(self) -> float:
        """The mean of the scores."""
        return 0.0 if self.floor is None else math.exp(self.deviation**2 / 2)

    @property
    def middle(self) -> float:
        """The median of the scores."""
        return 0.0 if self.floor is None else 1.0

    def draw(self, generator: Generator, seeds: int, *, shift: float = 0.0, lost: float = 0.0) -> Sample:
        """Draw the scores of one entry.

        Args:
            seeds: number of scores.
            shift: of the scores, or of their logarithms.
            lost: probability with which a seed diverges.
        """
        numbers = self.values(shift + self.deviation * generator.standard_normal(seeds))
        diverged = generator.random(seeds) < lost
        return Sample(tuple(None if gone else number for gone, number in zip(diverged, numbers, strict=True)))

    def draw_orbits(self, generator: Generator, seeds: int, *, shared: Sequence[float], shift: float) -> Sample:
        """Draw the scores of one entry on every test orbit, and their medians as the scores of the seeds.

        Args:
            seeds: number of seeds, whose deviation is `deviation`; 1: the entry does not depend on the seed.
            shared: what the orbits add to the scores of all entries.
            shift: of the scores, or of their logarithms.
        """
        means = shift + (self.deviation * generator.standard_normal((seeds, 1)) if seeds > 1 else np.zeros((1, 1)))
        points = means + np.array(shared) + ALONE * generator.standard_normal((seeds, len(shared)))
        orbits = tuple(tuple(self.values(row)) for row in points)
        values = tuple(median(row, better="lower") for row in orbits)
        return Sample(values, orbits, fixed=seeds == 1)

    def values(self, points: Iterable[float]) -> list[float]:
        """Return the scores at these points of the scale."""
        return [float(point) if self.floor is None else math.exp(point) for point in points]


SHARED, ALONE = 0.5, 0.5  # deviation that a test orbit adds to all scores, and to each score [of logarithms]


class Test(Protocol):
    """A comparison with the best of so many entries."""

    def __call__(self, entry: Sample, best: Sample, /, *, scale: Scale, entries: int) -> bool | None:
        """Return True if the entry is behind the best, False if it is not, None if there is no test."""
        ...


def new_test(entry: Sample, best: Sample, *, scale: Scale, entries: int) -> bool | None:
    """Compare as `chaosbench rank` does."""
    level = corrected_level(entries)
    p_value = compare(entry, best, scale=scale, level=level).p_value
    return None if p_value is None else p_value <= level


def old_test(entry: Sample, best: Sample, **_unused: object) -> bool | None:
    """Compare by Welch's t-test of the scores, two-sided and uncorrected; impossible where a seed diverged."""
    if None in entry.values or None in best.values:
        return None
    first, second = ([value for value in sample.values if value is not None] for sample in (entry, best))
    errors = [variance(values) / len(values) for values in (first, second)]
    if sum(errors) == 0:
        return first[0] != second[0]
    freedom = sum(errors) ** 2 / sum(e**2 / (len(v) - 1) for e, v in zip(errors, (first, second), strict=True))
    size = abs(fmean(first) - fmean(second)) / math.sqrt(sum(errors))
    return bool(2 * stdtr(freedom, -size) < LEVEL)


def orbits_alone(entry: Sample, best: Sample, *, scale: Scale, entries: int) -> bool | None:
    """Compare over test orbits alone, where seeds count by their median."""
    return new_test(replace(entry, fixed=True), replace(best, fixed=True), scale=scale, entries=entries)


def marks(board: Sequence[Sample], test: Test, scale: Scale) -> list[bool | None]:
    """Return for every entry whether it is marked as behind the entry with the best median."""
    medians = [median(sample.values, better=scale.better) for sample in board]
    best = board[min(range(len(board)), key=lambda index: scale.cost(medians[index]))]
    return [False if sample is best else test(sample, best, scale=scale, entries=len(board)) for sample in board]


@dataclass(frozen=True)
class Rates:
    """Shares of simulated boards.

    Attributes:
        first: the first entry is marked as behind.
        some: any entry is.
        untested: there is no test of the first entry.
    """

    first: float
    some: float
    untested: float

    @classmethod
    def of(cls, boards: Sequence[Sequence[Sample]], test: Test, scale: Scale) -> "Rates":
        """Return the rates of a test over boards."""
        marked = [marks(board, test, scale) for board in boards]
        return cls(
            first=sum(row[0] is True for row in marked) / len(marked),
            some=sum(True in row for row in marked) / len(marked),
            untested=sum(row[0] is None for row in marked) / len(marked),
        )


def equal_boards(
    scores: Scores, generator: Generator, *, boards: int, seeds: int, entries: int, lost: float = 0.0, spread: float = 1
) -> list[list[Sample]]:
    """Draw boards whose entries are equally good; the first entry varies `spread` times as much as the others."""
    first = replace(scores, deviation=spread * scores.deviation)
    return [
        [(first if index == 0 else scores).draw(generator, seeds, lost=lost) for index in range(entries)]
        for _ in range(boards)
    ]


def unequal_boards(
    scores: Scores,
    generator: Generator,
    *,
    boards: int,
    seeds: int,
    entries: int,
    shift: float,
    lost: float = 0.0,
    others_lost: float = 0.0,
) -> list[list[Sample]]:
    """Draw boards whose first entry is worse than the others by `shift`, and diverges with a probability of its own."""
    return [
        [
            scores.draw(generator, seeds, lost=others_lost if index else lost, shift=0.0 if index else shift)
            for index in range(entries)
        ]
        for _ in range(boards)
    ]


def orbit_boards(
    scores: Scores, generator: Generator, *, boards: int, orbits: int, seeds: Sequence[int], shift: float = 0.0
) -> list[list[Sample]]:
    """Draw boards with the scores of single test orbits; `seeds` of each entry, the first of which is worse."""
    result = []
    for _ in range(boards):
        shared = (SHARED * generator.standard_normal(orbits)).tolist()
        result.append(
            [
                scores.draw_orbits(generator, count, shared=shared, shift=0.0 if index else shift)
                for index, count in enumerate(seeds)
            ]
        )
    return result


def coverage(scores: Scores, generator: Generator, *, samples: int, seeds: int, logarithmic: bool) -> float:
    """Return how often the interval covers what it is for: the geometric mean, which is the median, or the mean."""
    truth = scores.middle if logarithmic else scores.mean
    covered = 0
    for _ in range(samples):
        found = interval(scores.draw(generator, seeds).values, logarithmic=logarithmic)
        covered += found is not None and found[0] <= truth <= found[1]
    return covered / samples
