"""Conclusions of papers, judged by our runs: verdicts of pairs of rows, and of whole claims with their controls."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from chaosbench.formats import number
from chaosbench.leaderboard.statistics import differ
from docs.generate.markdown import table
from docs.generate.published import Budget, Claim, Comparison, Scores

Outcome = Literal["holds", "ordered so, not told apart", "cannot be told", "does not hold", "not run"]
_WEAKEST_FIRST: tuple[Outcome, ...] = ("does not hold", "cannot be told", "ordered so, not told apart", "holds")

EXPLANATION = """\
Claims compare D_stsp in the default convention, which ranks boards; the conventions of the papers are shown beside
published figures only. For each pair of rows that a claim orders, the verdict is

- *holds*: the medians are ordered as claimed, by the claimed factor, and a two-sided test finds a difference at the
  5 % level;
- *ordered so, not told apart*: the medians are ordered as claimed, but the test finds no difference;
- *does not hold*: the test finds a difference, but the order is another, or the factor smaller than claimed;
- *cannot be told*: neither; or there are too few seeds for a test.

Seeds without a score count as worst. A claim gets the weakest verdict of its pairs. It holds only against two controls:
each row that it calls worse must be compared with training that has the same updates and sequence length T, and with
training that has seen as many observations (updates x T x batch); one pair may be both. The conclusions that forcing
cannot be replaced, that long intervals fail, and that a wide spread fails claim a factor of ten."""


@dataclass(frozen=True)
class Pair:
    """Two rows that a claim orders, and how our runs compare.

    Attributes:
        apart: whether a test finds a difference; None where no test is possible.
        outcome: the verdict.
    """

    better: Comparison
    worse: Comparison
    apart: bool | None
    outcome: Outcome

    @property
    def same_updates(self) -> bool:
        """True if both rows have the same updates and sequence length."""
        one, other = self.better.budget, self.worse.budget
        return (one.updates, one.sequence_length) == (other.updates, other.sequence_length)

    @property
    def same_observations(self) -> bool:
        """True if both rows have seen as many observations."""
        return self.better.budget.observations == self.worse.budget.observations


def told_apart(first: Scores, second: Scores) -> bool | None:
    """Return True if a two-sided test finds a difference; None if no test is possible."""
    return differ(first.values, second.values, floor=first.floor)


def judged(claim: Claim, comparisons: Mapping[str, Comparison]) -> tuple[Outcome, list[Pair]]:
    """Return the verdict of a claim and the pairs of rows that were run."""
    run = [names for names in claim.pairs if all(comparisons[name].stored is not None for name in names)]
    pairs = [_pair(comparisons[better], comparisons[worse], factor=claim.factor) for better, worse in run]
    if not pairs:
        return "not run", []
    weakest = min((pair.outcome for pair in pairs), key=_WEAKEST_FIRST.index)
    complete = len(run) == len(claim.pairs) and controlled(claim, pairs)
    return ("cannot be told" if weakest in ("holds", "ordered so, not told apart") and not complete else weakest), pairs


def controlled(claim: Claim, pairs: Iterable[Pair]) -> bool:
    """Return True if every worse row has both controls among the pairs."""
    of = list(pairs)
    return all(
        any(pair.worse.published.name == worse and same(pair) for pair in of)
        for _, worse in claim.pairs
        for same in (lambda pair: pair.same_updates, lambda pair: pair.same_observations)
    )


def _pair(better: Comparison, worse: Comparison, *, factor: float) -> Pair:
    apart = told_apart(better.default, worse.default)
    low, high = (inf if row.default.median is None else row.default.median for row in (better, worse))
    ordered = low < inf and (high >= factor * low if factor > 1 else high > low)
    return Pair(better, worse, apart, _outcome(ordered, apart))


def _outcome(ordered: bool, apart: bool | None) -> Outcome:
    if apart:
        return "holds" if ordered else "does not hold"
    return "ordered so, not told apart" if ordered and apart is False else "cannot be told"


def claims_page(claims: Sequence[Claim], comparisons: Mapping[str, Comparison]) -> str:
    """Return the table of claims, and the table of the pairs behind them with their budgets."""
    results = [(claim, *judged(claim, comparisons)) for claim in claims]
    summary = [
        (str(index), claim.text, outcome, _counted(pairs, "same_updates"), _counted(pairs, "same_observations"))
        for index, (claim, outcome, pairs) in enumerate(results, start=1)
    ]
    header = ("", "conclusion of the paper", "our runs", "at equal updates and T", "at equal observations")
    lines = [line for index, (_, _, pairs) in enumerate(results, start=1) for line in _lines(index, pairs)]
    heads = ("claim", "better row", "its budget", "its D_stsp", "worse row", "its budget", "its D_stsp", "verdict")
    notes = [*_missing(claims, comparisons), "A budget is updates x T x batch = observations."]
    return "\n\n".join([EXPLANATION, table(header, summary), " ".join(notes), table(heads, lines)])


def _counted(pairs: Iterable[Pair], equal: str) -> str:
    outcomes = [pair.outcome for pair in pairs if getattr(pair, equal)]
    return ", ".join(f"{outcomes.count(name)} {name}" for name in reversed(_WEAKEST_FIRST) if name in outcomes) or "-"


def _lines(index: int, pairs: Iterable[Pair]) -> Iterator[tuple[str, ...]]:
    for pair in pairs:
        cells = [(row.published.name, _budget(row.budget), _median(row.default)) for row in (pair.better, pair.worse)]
        yield (str(index), *cells[0], *cells[1], pair.outcome)


def _budget(budget: Budget) -> str:
    product = f"{budget.updates:,} x {budget.sequence_length:,} x {budget.batch}"
    return f"{product} = {budget.observations / 1e6:.3g} million"


def _median(scores: Scores) -> str:
    return f"{'no score' if scores.median is None else number(scores.median)} (n = {len(scores.values)})"


def _missing(claims: Iterable[Claim], comparisons: Mapping[str, Comparison]) -> Iterator[str]:
    names = dict.fromkeys(name for claim in claims for pair in claim.pairs for name in pair)
    missing = [name for name in names if comparisons[name].stored is None]
    if missing:
        yield f"Pairs with rows that were not run are left out ({'; '.join(missing)}); such a claim cannot hold."
