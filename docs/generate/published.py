"""Published results, and which stored experiments answer them."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal

from pydantic import Field

from chaosbench.leaderboard.folder import FINISHED, Stored
from chaosbench.leaderboard.statistics import median
from chaosbench.leaderboard.store import read_all
from chaosbench.spec import Content

Gap = Literal["within", "at the floor", "lower", "higher", "both miss", "not run", "none published"]
_SIGNIFICANT = 2.0  # standard errors of the difference
_AT_THE_FLOOR = 1.1  # floors; one pair of true orbits tells it no better


class Measure(Content):
    """A score that a section compares."""

    name: str  # label of the metric, as recorded
    title: str  # of the table
    unit: str
    miss: float | None = None  # from here on a run has missed the attractor, and how far says little


class Published(Content):
    """One published result: what was run, and its figures in the order of the section's measures."""

    name: str
    experiment: dict[str, Any]  # what of an experiment's content makes it this one
    theirs: tuple[tuple[float, ...], ...] = ()  # mean and standard error; the mean alone of a single run; or nothing
    reason: str = ""  # for a gap of this row, in place of the section's


class Section(Content):
    """Results of one paper that share their settings."""

    title: str
    paper: str
    source: str  # figure or table, and how it was read
    measures: tuple[Measure, ...]
    settings: dict[str, Any] = Field(default_factory=dict)  # as published, where an experiment has the field
    notes: tuple[str, ...] = ()  # what differs besides
    reasons: dict[Gap, str] = Field(default_factory=dict)  # why ours are not theirs, by the kind of gap
    rows: tuple[Published, ...]


class Claim(Content):
    """A conclusion of a paper, in terms of rows and the first measure of their section."""

    text: str
    kind: Literal["least", "ascending", "far above"]
    row: str = ""  # "least": the lowest of `rows`; "far above": what all `rows` exceed
    rows: tuple[str, ...]
    factor: float = Field(10.0, gt=1)  # of "far above"


class Pages(Content):
    """The whole data file."""

    sections: tuple[Section, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Scores:
    """One measure of one row, ours beside theirs.

    Attributes:
        values: ours, a number for each seed that came to a result; None: diverged.
        floor: of the truth itself; None where there is none.
        theirs: mean and standard error; empty where no figure is published.
    """

    measure: Measure
    values: tuple[float | None, ...]
    floor: float | None
    theirs: tuple[float, ...]

    @property
    def median(self) -> float | None:
        """Over seeds, a diverged one worse than any; None where that is the median, or nothing was run."""
        return median(self.values, better="lower")

    @property
    def numbers(self) -> list[float]:
        """Of the seeds that have one."""
        return [value for value in self.values if value is not None]

    @property
    def gap(self) -> Gap:
        """What the seeds can tell of the difference."""
        if not self.values or not self.theirs:
            return "none published" if self.values else "not run"
        middle, miss = self.median, self.measure.miss
        if miss is not None and self.theirs[0] >= miss and (middle is None or middle >= miss):
            return "both miss"
        if middle is None:
            return "higher"
        if self.floor is not None and middle <= _AT_THE_FLOOR * self.floor:
            return "at the floor"
        difference = fmean(self.numbers) - self.theirs[0]
        if abs(difference) <= _SIGNIFICANT * self._error():
            return "within"
        return "lower" if difference < 0 else "higher"

    def _error(self) -> float:
        """Standard error of the difference of means; a single published run scatters as one of ours does."""
        scatter = stdev(self.numbers) if len(self.numbers) > 1 else 0.0
        published = self.theirs[1] if len(self.theirs) > 1 else scatter
        return sqrt(scatter**2 / len(self.numbers) + published**2)


@dataclass(frozen=True)
class Comparison:
    """A published result and the experiment that answers it, None where it was not run."""

    published: Published
    stored: Stored | None
    scores: tuple[Scores, ...]

    @property
    def diverged(self) -> int:
        """How many seeds diverged."""
        return sum(run["status"] == "diverged" for run in self._runs())

    @property
    def failed(self) -> int:
        """How many seeds came to no result."""
        return sum(run["status"] not in FINISHED for run in self._runs())

    @property
    def seconds(self) -> float:
        """Of all seeds together [s]."""
        return sum(run["total_seconds"] or 0.0 for run in self._runs())

    def _runs(self) -> Sequence[Mapping[str, Any]]:
        return () if self.stored is None else self.stored.runs


def published() -> Pages:
    """The figures in `published.toml`, beside this module."""
    text = Path(__file__).with_name("published.toml").read_text(encoding="utf-8")
    return Pages.model_validate(tomllib.loads(text))


def newest_first(results: Path) -> list[Stored]:
    """The experiments of a results directory."""
    return sorted(read_all(results), key=lambda one: one.runs[0]["started"], reverse=True)


def compared(section: Section, stored: Sequence[Stored]) -> list[Comparison]:
    """Every row of a section beside the first of these experiments that answers it."""
    return [_compared(row, section, next(answers(row, stored), None)) for row in section.rows]


def answers(row: Published, stored: Iterable[Stored]) -> Iterator[Stored]:
    """Those that are what the row asks for."""
    return (one for one in stored if _has(one.experiment, row.experiment))


def _has(found: Any, wanted: Any) -> bool:
    """Whether everything wanted is found, level by level."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and _has(found[key], wanted[key]) for key in wanted)
    return bool(found == wanted)


def _compared(row: Published, section: Section, stored: Stored | None) -> Comparison:
    theirs = row.theirs or ((),) * len(section.measures)
    return Comparison(
        row,
        stored,
        tuple(_scores(measure, figures, stored) for measure, figures in zip(section.measures, theirs, strict=True)),
    )


def _scores(measure: Measure, theirs: tuple[float, ...], stored: Stored | None) -> Scores:
    records = [] if stored is None else stored.records
    finals = [row for row in records if row["name"] == measure.name and row["update"] is None]
    floors = [row["floor"] for row in finals if row["floor"] is not None]
    return Scores(measure, tuple(row["value"] for row in finals), floors[0] if floors else None, theirs)
