"""Parts of a ranking: boards, their measures and entries, and the scores of the entries."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from chaosbench.leaderboard import exports, layouts
from chaosbench.leaderboard.statistics import LEVEL, Comparison, Interval

if TYPE_CHECKING:
    import pandas

Tier = Literal["best", "tied", "unclear", "behind"]


@dataclass(frozen=True)
class Measure:
    """A metric of a board.

    Attributes:
        name, unit, better: as stored.
        floor: the score of the truth itself; None where there is none.
        logarithmic: whether scores are compared, and intervals computed, on logarithms: where lower is better and no
            score is negative.
        least: the score below which differences mean nothing in comparisons, the floor of metrics that the truth
            itself scores best; None: there is none.
        details: the shares stored with the score, for the truth, by name.
    """

    name: str
    unit: str
    better: Literal["lower", "higher"]
    floor: float | None
    details: Mapping[str, float] = field(default_factory=dict)
    logarithmic: bool = False
    least: float | None = None

    @property
    def resolved(self) -> bool:
        """False where the floor is more than half the score of a run at rest, so that the metric does not rank."""
        at_rest = self.details.get("at_rest")
        return self.floor is None or at_rest is None or self.floor <= at_rest / 2


@dataclass(frozen=True)
class Score:
    """One metric of one entry.

    Attributes:
        values: one per seed that has a result; None: the seed diverged, or its score is undefined.
        median: of these values, where None is worse than any number; None if the median falls on a diverged seed.
        interval: 95 % interval (Student's t) of the mean, or of the geometric mean where the measure is logarithmic;
            None for a single seed or where a seed has no value.
        diverged: how many of the seeds diverged.
        details: median over seeds of each share that is stored with the score, by name, such as "censored_share".
        orbits: for each of the values the scores on each test orbit alone; empty where none are stored.
    """

    values: tuple[float | None, ...]
    median: float | None
    interval: Interval | None
    diverged: int = 0
    details: Mapping[str, float] = field(default_factory=dict)
    orbits: tuple[tuple[float | None, ...], ...] = ()


@dataclass(frozen=True)
class Entry:
    """A model with a trainer on one board.

    Attributes:
        rank: by the median of the board's first metric; equal medians share a rank.
        tier: comparison with the best entry: "tied" if the test does not find it worse, "behind" if it does, "unclear"
            if there is no test.
        seeds: how many seeds were run.
        diverged: how many of them diverged; they count as worse than any value.
        failed: how many have no result (failed, crashed, timeout, oom, skipped); medians ignore them.
        train_seconds: wall time of training a batch of seeds, divided by their number; median over seeds [s].
        scores: in the order of the board's measures; None where no seed has the score.
        comparison: the test behind `tier`, on the first metric; None for the best entry.
        fixed: whether all seeds have equal scores in every metric, so that the entry does not depend on the seed.
        seeds_together: K, how many seeds were trained as one batch; several numbers if the entry was run several times.
        batch_seconds: wall time of training a batch of K seeds, median over seeds [s].
        update_seconds: wall time of one update of a batch of K seeds, median over seeds [s].
    """

    rank: int
    tier: Tier
    model: str
    trainer: str
    seeds: int
    diverged: int
    failed: int
    parameters: int | None
    train_seconds: float | None
    scores: tuple[Score | None, ...]
    comparison: Comparison | None = None
    fixed: bool = False
    seeds_together: tuple[int, ...] = ()
    batch_seconds: float | None = None
    update_seconds: float | None = None

    @property
    def failed_share(self) -> float:
        """The share of seeds that diverged or have no result."""
        return (self.diverged + self.failed) / self.seeds


@dataclass(frozen=True)
class Board:
    """Entries with the same system, data and evaluation, best first.

    `level` is that of each comparison with the best: an entry is behind if its p-value is at most this. `digest`
    identifies system and data by their content, since different files may have equal labels.
    """

    system: str
    data: str
    evaluation: str  # the content of `EvaluationSpec` as JSON
    suites: tuple[str, ...]
    measures: tuple[Measure, ...]
    entries: tuple[Entry, ...]
    level: float = LEVEL
    digest: str = ""


@dataclass(frozen=True)
class Ranking:
    """All boards of a results directory."""

    boards: tuple[Board, ...]

    def to_json(self) -> str:
        """Return the content as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per entry and metric, in the order of the ranks; numbers that are not defined are None."""
        return [
            {
                **{name: getattr(board, name) for name in ("system", "data", "evaluation")},
                **{name: getattr(entry, name) for name in ("rank", "tier", "model", "trainer", "seeds", "diverged")},
                "failed": f"{entry.diverged + entry.failed}/{entry.seeds}",
                **{name: getattr(entry, name) for name in ("parameters", "train_seconds")},
                **_cells(measure, score),
            }
            for board in self.boards
            for entry in board.entries
            for measure, score in zip(board.measures, entry.scores, strict=True)
        ]

    def _repr_html_(self) -> str:
        return layouts.to_html(exports.tables_of(self.rows()))

    def to_csv(self) -> str:
        """Return a line per entry and metric as CSV."""
        return layouts.to_csv(self.rows())

    def to_markdown(self) -> str:
        """Return a Markdown table per board; scores have their 95 % intervals."""
        return layouts.to_markdown(exports.tables_of(self.rows()))

    def to_latex(self) -> str:
        """Return a LaTeX table per board, for the package booktabs; scores have their 95 % intervals."""
        return layouts.to_latex(exports.tables_of(self.rows()))

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a pandas data frame with a row per entry and metric.

        Raises:
            SpecError: where pandas is not installed.
        """
        return exports.to_pandas(self.rows())


def _cells(measure: Measure, score: Score | None) -> dict[str, Any]:
    low, high = (None, None) if score is None or score.interval is None else score.interval
    return {
        "metric": measure.name,
        "unit": measure.unit,
        "better": measure.better,
        "median": None if score is None else score.median,
        "low": low,
        "high": high,
        "floor": measure.floor,
    }
