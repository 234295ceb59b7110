"""Published results, and the stored experiments that repeat them."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, isfinite
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal

from pydantic import Field

from chaosbench.intervals import half_width
from chaosbench.leaderboard.folder import FINISHED, Stored
from chaosbench.leaderboard.statistics import median
from chaosbench.leaderboard.store import read_all
from chaosbench.spec import Content

Gap = Literal["within", "at the floor", "lower", "higher", "cannot be told", "both miss", "not run", "none published"]
_SIGNIFICANT = 2.0  # standard errors of a published mean in its 95 % interval
_INFORMATIVE = 0.5  # a wider interval of the difference, relative to their mean, cannot show that means are equal
_AT_THE_FLOOR = 1.1  # in units of the floor, which is not more precise because it is that of one pair of true orbits


class Measure(Content):
    """A score that a section compares with published values."""

    name: str  # label of the metric in the records
    title: str  # first column header of the table
    unit: str
    miss: float | None = None  # a run with this score or more misses the attractor


class Published(Content):
    """One published result, with a value for each measure of the section."""

    name: str
    experiment: dict[str, Any]  # the part of an experiment's content that identifies it
    theirs: tuple[tuple[float, ...], ...] = ()  # mean and standard error, or the value of a single run; may be empty
    reason: str = ""  # for a gap of this row; replaces the reason of the section


class Section(Content):
    """Results of one paper that share their settings."""

    title: str
    paper: str
    source: str  # the figure or table, and how it was read
    measures: tuple[Measure, ...]
    settings: dict[str, Any] = Field(default_factory=dict)  # published values of fields that an experiment has
    notes: tuple[str, ...] = ()  # other differences
    reasons: dict[Gap, str] = Field(default_factory=dict)  # explanation of each kind of gap
    rows: tuple[Published, ...]


class RowComparison(Content):
    """A row that a claim expects to be better than others."""

    row: str
    rows: tuple[str, ...]


class Claim(Content):
    """A conclusion of a paper about rows: the scores of `rows` exceed that of `row` by the factor."""

    text: str
    comparisons: tuple[RowComparison, ...]
    factor: float = Field(1.0, ge=1)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The names of the better and the worse row of each comparison."""
        return [(each.row, worse) for each in self.comparisons for worse in each.rows]


class Pages(Content):
    """The content of `published.toml`."""

    sections: tuple[Section, ...]
    claims: tuple[Claim, ...]


DEFAULT = Measure(name="state_space_divergence", title="D_stsp", unit="nats")


@dataclass(frozen=True)
class Scores:
    """One measure of one row: our values and the published one.

    Attributes:
        values: our score of each seed with a result; None for a seed without a score, which counts as worst.
        floor: score of another true orbit; None if undefined.
        theirs: mean and standard error; empty if nothing is published.
    """

    measure: Measure
    values: tuple[float | None, ...]
    floor: float | None
    theirs: tuple[float, ...]

    @property
    def median(self) -> float | None:
        """Our median over seeds, with seeds without a score as worst; None if the median falls on one."""
        return median(self.values, better="lower")

    @property
    def numbers(self) -> list[float]:
        """Our scores of the seeds that have one."""
        return [value for value in self.values if value is not None]

    @property
    def gap(self) -> Gap:
        """The kind of difference between our values and theirs."""
        if not self.values or not self.theirs:
            return "none published" if self.values else "not run"
        center, miss = self.median, self.measure.miss
        if miss is not None and self.theirs[0] >= miss and (center is None or center >= miss):
            return "both miss"
        if center is None:
            return "higher"
        if self.floor is not None and center <= _AT_THE_FLOOR * self.floor:
            return "at the floor"
        return self._difference()

    def _difference(self) -> Gap:
        """Compare the means by the 95 % interval of their difference; a seed without a score is worse than any number.

        A mean over the other seeds is too favourable: it can only show that ours is higher.
        """
        width = self._half_width()
        if not isfinite(width):
            return "cannot be told"
        difference = fmean(self.numbers) - self.theirs[0]
        if difference > width:
            return "higher"
        if len(self.numbers) < len(self.values) or (-difference <= width and width > _INFORMATIVE * self.theirs[0]):
            return "cannot be told"
        return "within" if -difference <= width else "lower"

    def _half_width(self) -> float:
        """Half width of the difference of means: Student's t for ours, two standard errors for theirs.

        A single published run is assumed to vary as ours do. Infinite for a single seed.
        """
        if len(self.numbers) < 2:
            return float("inf")
        spread = stdev(self.numbers)
        published = self.theirs[1] if len(self.theirs) > 1 else spread
        return hypot(half_width(spread, len(self.numbers)), _SIGNIFICANT * published)


@dataclass(frozen=True)
class Budget:
    """The updates of a training, and the size of their batches."""

    updates: int
    sequence_length: int  # T [steps]
    batch: int

    @property
    def observations(self) -> int:
        """Number of observations in all batches together, which may repeat."""
        return self.updates * self.sequence_length * self.batch


@dataclass(frozen=True)
class Comparison:
    """A published result and the experiment that repeats it, None if it was not run.

    Attributes:
        scores: one per measure of the section, in the conventions of its paper.
        default: the score by which claims are judged: D_stsp in the default convention, which ranks boards.
    """

    published: Published
    stored: Stored | None
    scores: tuple[Scores, ...]
    default: Scores

    @property
    def budget(self) -> Budget:
        """Updates, sequence length and batch of the experiment that was run."""
        assert self.stored is not None
        trainer = self.stored.experiment["trainer"]
        return Budget(trainer["updates"], trainer["sequence_length"], trainer["batch"])

    @property
    def earlier(self) -> bool:
        """True if the row was run before forecasts had a context; it was scored by the rules of that time."""
        return self.stored is not None and "context" not in self.stored.experiment["evaluation"]

    @property
    def diverged(self) -> int:
        """Number of seeds that diverged; 0 in earlier rows, which called bounded runs diverged, too."""
        return 0 if self.earlier else sum(run["status"] == "diverged" for run in self._runs())

    @property
    def failed(self) -> int:
        """Number of seeds without a result."""
        return sum(run["status"] not in FINISHED for run in self._runs())

    @property
    def seconds(self) -> float:
        """Duration of all seeds together [s]."""
        return sum(run["total_seconds"] or 0.0 for run in self._runs())

    def _runs(self) -> Sequence[Mapping[str, Any]]:
        return () if self.stored is None else self.stored.runs


def published() -> Pages:
    """Return the published results in `published.toml`, beside this module."""
    text = Path(__file__).with_name("published.toml").read_text(encoding="utf-8")
    return Pages.model_validate(tomllib.loads(text))


def newest_first(results: Path) -> list[Stored]:
    """Return the experiments of a results directory, the newest first."""
    return sorted(read_all(results), key=lambda stored: stored.runs[0]["started"], reverse=True)


def compared(section: Section, stored: Sequence[Stored]) -> list[Comparison]:
    """Compare every row of a section with the first experiment that repeats it."""
    return [_compared(row, section, next(repeating(row, stored), None)) for row in section.rows]


def repeating(row: Published, stored: Iterable[Stored]) -> Iterator[Stored]:
    """Yield the experiments that repeat the row: those whose content includes the content of the row."""
    return (experiment for experiment in stored if _includes(experiment.experiment, row.experiment))


def _includes(content: Any, part: Any) -> bool:
    """Return True if all fields of `part` are in `content` with equal values, level by level."""
    if isinstance(part, dict):
        return isinstance(content, dict) and all(key in content and _includes(content[key], part[key]) for key in part)
    return content is None if part == "none" else bool(content == part)  # TOML has no null


def _compared(row: Published, section: Section, stored: Stored | None) -> Comparison:
    theirs = row.theirs or ((),) * len(section.measures)
    return Comparison(
        row,
        stored,
        tuple(_scores(measure, figures, stored) for measure, figures in zip(section.measures, theirs, strict=True)),
        _scores(DEFAULT, (), stored),
    )


def _scores(measure: Measure, theirs: tuple[float, ...], stored: Stored | None) -> Scores:
    records = [] if stored is None else stored.records
    finals = [row for row in records if row["name"] == measure.name and row["update"] is None]
    floors = [row["floor"] for row in finals if row["floor"] is not None]
    return Scores(measure, tuple(row["value"] for row in finals), floors[0] if floors else None, theirs)
