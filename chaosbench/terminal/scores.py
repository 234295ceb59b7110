"""The column of one metric: medians with intervals, abbreviated to the available width."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from chaosbench.formats import number, rounded
from chaosbench.leaderboard.board import Measure, Score
from chaosbench.leaderboard.statistics import Interval
from chaosbench.terminal.grid import Column, Lines, fold

_FORMS = 4  # number of forms in which an interval can be written
_LEAST_WIDTH = 9  # [characters]: an interval such as 14.8–15.0 or 0.12–0.15


@dataclass(frozen=True)
class ScoreColumn:
    """A metric's scores, in the order of a board's entries, and its noise floor as the last cell."""

    measure: Measure
    scores: Sequence[Score | None]

    @cached_property
    def widths(self) -> list[int]:
        """The widths that hold header and scores, one for each form of an interval, longest form first [characters]."""
        words = [word for line in self._header(1) for word in line.split()]
        least = max(_LEAST_WIDTH, *map(len, [*words, *self._medians()]))
        forms = [_forms(score.interval) for score in self.scores if score is not None and score.interval is not None]
        return [max([least, *map(len, texts)]) for texts in zip(*forms, strict=True)] if forms else [least] * _FORMS

    @property
    def least_width(self) -> int:
        """The width that holds everything in its shortest form [characters]."""
        return min(self.widths)

    def column(self, width: int, *, full: bool) -> Column:
        """Return the column at a width.

        Args:
            width: [characters], at least `least_width`.
            full: write intervals as [low, high]; otherwise as low–high, with as many digits as fit, up to three.
        """
        cells = [_cell(score, width, full=full) for score in self.scores]
        return Column(self._header(width), [*cells, [number(self.measure.floor)]], "right", width)

    def _header(self, width: int) -> Lines:
        """Return the name, its settings, the unit, and which scores are better."""
        name, _, settings = self.measure.name.partition("(")
        lines = fold(name.replace("_", " "), width)
        if settings:
            lines += fold(f"({settings}", width)
        return [*lines, *fold(f"[{self.measure.unit}]", width), self.measure.better]

    def _medians(self) -> list[str]:
        return [_median(score) for score in self.scores if score is not None] + [number(self.measure.floor)]


def _cell(score: Score | None, width: int, *, full: bool) -> Lines:
    if score is None:
        return ["-"]
    if score.interval is None:
        return [_median(score)]
    forms = _forms(score.interval)
    fitting = [form for form in (forms if full else forms[1:]) if len(form) <= width]
    return [_median(score), fitting[0]]


def _median(score: Score) -> str:
    if score.median is None:
        return "diverged" if score.diverged else "undefined"
    return number(score.median)


def _forms(interval: Interval) -> Lines:
    """Return an interval as text, from the longest form to the shortest."""
    low, high = interval
    dash = "–" if low >= 0 else ".."  # a dash beside a minus sign is hard to read
    return [
        f"[{number(low)}, {number(high)}]",
        f"{number(low)}{dash}{number(high)}",
        *(f"{rounded(low, digits)}{dash}{rounded(high, digits)}" for digits in (2, 1)),
    ]
