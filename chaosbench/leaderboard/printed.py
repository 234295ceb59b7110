"""The ranking over systems, and two methods against each other, as printed tables and rows."""

from collections.abc import Iterable
from typing import Any

from chaosbench.errors import SpecError
from chaosbench.formats import number, percent
from chaosbench.labels import shared, shortened
from chaosbench.leaderboard import legend
from chaosbench.leaderboard.board import Ranking
from chaosbench.leaderboard.exports import tables_of
from chaosbench.leaderboard.layouts import PRINTERS, Printed, to_csv
from chaosbench.leaderboard.overall import Missing, Overall, RankInterval, overall
from chaosbench.leaderboard.versus import Versus


def ranking_text(ranking: Ranking, layout: str, *, part: str | None = None, metric: str | None = None) -> str:
    """Return a ranking as CSV, Markdown, LaTeX or HTML.

    Args:
        ranking: the boards.
        layout: one of `layouts.LAYOUTS`.
        part: "systems" for the tables of systems alone, "overall" for the one over systems; None: both, and of CSV,
            which has one table, those of systems.
        metric: that alone ranks over systems; None: all together.

    Raises:
        SpecError: where the ranking over systems is asked for and does not exist.
    """
    found = overall(ranking, metric) if part != "systems" else None
    if part == "overall" and found is None:
        raise SpecError("fewer than two systems have the same methods, so there is no ranking over systems")
    if layout == "csv":
        return to_csv(overall_rows(found) if part == "overall" and found is not None else ranking.rows())
    per_system = [] if part == "overall" else tables_of(ranking.rows())
    return PRINTERS[layout]([*per_system, *([overall_table(found)] if found is not None else [])])


def versus_text(versus: Versus, layout: str) -> str:
    """Return two methods against each other as CSV, Markdown, LaTeX or HTML."""
    return to_csv(versus_rows(versus)) if layout == "csv" else PRINTERS[layout]([versus_table(versus)])


def overall_table(overall: Overall) -> Printed:
    """Return the table of a ranking over systems: tiers, and the ranks that remain open."""
    standings = overall.standings
    models, trainers = (shortened(getattr(one, noun) for one in standings) for noun in ("model", "trainer"))
    common = {**shared(one.model for one in standings), **shared(one.trainer for one in standings)}
    settings = [f"Every {kind}: {own}." for kind, own in common.items()]
    body = [
        [
            str(one.tier), open_ranks(one.on_these), open_ranks(one.on_others),
            models[one.model], trainers[one.trainer],
            whole_percent(one.wins), whole_percent(one.lost),
        ]
        for one in standings
    ]  # fmt: skip
    by = ", ".join(name.replace("_", " ") for name in overall.metrics)
    left = [f"Not ranked: {_named(overall.missing)}, which lack systems."] if overall.missing else []
    return Printed(
        title=f"Over {len(overall.boards)} systems, by {by}",
        header=["tier", "ranks on these systems", "on systems like these", "model", "trainer", "wins [%]", "lost [%]"],
        body=body,
        words=frozenset({3, 4}),
        caption=" ".join((legend.over_systems(enough=overall.enough), *settings, *left)),
    )


def overall_rows(overall: Overall) -> list[dict[str, Any]]:
    """Return a row per method of a ranking over systems, with all digits; the best comes first."""
    return [
        {
            "tier": one.tier,
            "rank": one.rank,
            "rank_low": one.on_these[0],
            "rank_high": one.on_these[1],
            "rank_low_on_systems_like_these": one.on_others[0],
            "rank_high_on_systems_like_these": one.on_others[1],
            "model": one.model,
            "trainer": one.trainer,
            "wins": one.wins,
            "lost": one.lost,
        }
        for one in overall.standings
    ]


def open_ranks(interval: RankInterval) -> str:
    """Return the ranks that remain open as text: `3`, or `2–5`."""
    low, high = interval
    return str(low) if low == high else f"{low}–{high}"


def versus_table(versus: Versus) -> Printed:
    """Return the table of two methods against each other, a line per board."""
    body = [
        [
            duel.title, *map(number, duel.medians), whole_percent(duel.probability), p_value(duel.p_value),
            f"{duel.seeds[0]}, {duel.seeds[1]}",
        ]
        for duel in versus.duels
    ]  # fmt: skip
    (first, second), names = (versus.first, versus.second), [name.replace("_", " ") for name in versus.metrics]
    methods = f"A: {first[1]} on {first[0]}. B: {second[1]} on {second[0]}. Wins by {', '.join(names)}."
    return Printed(
        title="A against B",
        header=["system", "A", "B", "A wins [%]", "p", "runs"],
        body=body,
        words=frozenset({0}),
        caption=" ".join((methods, medians_of(versus), *versus_words(versus))),
    )


def versus_rows(versus: Versus) -> list[dict[str, Any]]:
    """Return a row per board on which two methods meet, with all digits."""
    return [
        {
            "board": duel.title,
            "median_a": duel.medians[0],
            "median_b": duel.medians[1],
            "metric": versus.metrics[0],
            "unit": versus.unit,
            "better": versus.better,
            "probability": duel.probability,
            "p_value": duel.p_value,
            "runs_a": duel.seeds[0],
            "runs_b": duel.seeds[1],
        }
        for duel in versus.duels
    ]


def medians_of(versus: Versus) -> str:
    """Return what the numbers under A and B are."""
    name = versus.metrics[0].replace("_", " ")
    return f"A, B: medians of {name} [{versus.unit}] over seeds, {versus.better} is better."


def versus_words(versus: Versus) -> list[str]:
    """Return what two methods against each other say together: the share of wins, and how sure it is."""
    low, high = versus.interval or (0.0, 1.0)
    bounds = f"{whole_percent(low)} to {whole_percent(high)} %"
    spread = f" (on systems like these {bounds}, 95 % interval)" if versus.interval else ""
    others = "too few systems to tell" if versus.on_others is None else f"p {p_value(versus.on_others, sign=True)}"
    return [
        f"A beats B in {whole_percent(versus.probability)} % of pairs of runs{spread}.",
        f"Is there a difference on these systems? p {p_value(versus.on_these, sign=True)}. "
        f"On systems like these? {others}. Both p-values are two-sided.",
        f"Scores within {percent(versus.equal)} of each other count as equal, half a win for each.",
    ]


def whole_percent(share: float) -> str:
    """Return a share in percent without a decimal."""
    return f"{100 * share:.0f}"


def p_value(value: float, *, sign: bool = False) -> str:
    """Return a p-value with two digits, never as zero."""
    text = f"{value:.2g}" if value >= 1e-4 else "< 0.0001"
    return f"= {text}" if sign and value >= 1e-4 else text


def _named(methods: Iterable[Missing]) -> str:
    return ", ".join(f"{one.trainer} on {one.model}" for one in methods)
