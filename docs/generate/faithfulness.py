"""Published results beside ours: `python -m docs.generate.faithfulness RESULTS > docs/faithfulness.md`."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor

from chaosbench.leaderboard.statistics import differ
from docs.generate.checks import Flossed, flossed, projection_error
from docs.generate.published import Claim, Comparison, Gap, Scores, Section, compared, newest_first, published

_INTRODUCTION = """\
# Ours beside theirs

Published results, run again by the suite `faithful`, in minutes of one core each. Every number of ours comes from the
tables in `leaderboards/faithful`, every published one from `docs/generate/published.toml`, which nothing else
reads. This page is made of both by `python -m docs.generate.faithfulness leaderboards/faithful`; the tables are
those of a results directory after `chaosbench run faithful`, without the weights.

*Ours* is the median over seeds with their range; a seed that *diverged*, whose free run is not finite or never where
the truth is, so that it has no score, counts as worse than any. *Theirs* is the mean with its standard error. The
*floor* is the score of another true orbit of the same length. *Ratio* is our median over their mean. *Gap* is what the
seeds can tell of the difference of means: `within` two standard errors of it, `lower` or `higher`; that ours is `at
the floor`, within a tenth of it, where nothing can be told; or that `both miss` the attractor."""

_GAPS: Mapping[Gap, str] = {
    "within": "within",
    "at the floor": "at the floor",
    "lower": "lower",
    "higher": "higher",
    "both miss": "both miss",
    "not run": "not run",
    "none published": "",
}


def page(results: Path) -> str:
    """The page, of a results directory or of the tables kept of one."""
    data, stored = published(), newest_first(results)
    found = [(section, compared(section, stored)) for section in data.sections]
    every = {one.published.name: one for _, rows in found for one in rows}
    parts = [
        _INTRODUCTION,
        _cost([one for one in every.values() if one.stored is not None]),
        "## What holds",
        _claims(data.claims, every),
        _missing(every.values()),
        *(part for section, rows in found for part in _chapter(section, rows)),
        "## What takes seconds",
        _checks(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _cost(run: Sequence[Comparison]) -> str:
    seeds = sum(len(one.stored.runs) for one in run if one.stored)
    lost = sum(one.diverged for one in run), sum(one.failed for one in run)
    versions = sorted({version for one in run if one.stored for version in _versions(one.stored.runs)})
    minutes = sum(one.seconds for one in run) / 60
    return (
        f"{len(run)} experiments with {seeds} runs in {minutes:.0f} minutes of one core, shared with other work; "
        f"{lost[0]} runs diverged and {lost[1]} came to no result. Made with {', '.join(versions)}."
    )


def _versions(runs: Iterable[Mapping[str, Any]]) -> set[str]:
    return {f"{name} {run['provenance'][name]}" for run in runs for name in ("chaosbench", "torch")}


def _claims(claims: Iterable[Claim], every: Mapping[str, Comparison]) -> str:
    lines = ["| the paper's conclusion | here | why |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {claim.text} | {' | '.join(_verdict(claim, every))} |" for claim in claims)])


def _verdict(claim: Claim, every: Mapping[str, Comparison]) -> tuple[str, str]:
    """Whether it holds for our medians, and the numbers it rests on; rows that were not run have no say."""
    names = [*([claim.row] if claim.row else []), *claim.rows]
    scores = {name: every[name].scores[0] for name in names if every[name].stored is not None}
    if claim.row not in (*scores, "") or len(scores) < 2:
        return "not run", ""
    if claim.kind == "ascending" and len(scores) < len(claim.rows):
        return "not run", ""
    worst = float("inf")
    medians = {name: worst if one.median is None else one.median for name, one in scores.items()}
    first, rest = medians[next(iter(medians))], list(medians.values())[1:]
    if claim.kind == "ascending":
        holds = list(medians.values()) == sorted(medians.values())
        why = "; ".join([", ".join(_named(medians)), *_apart(scores)])
    elif claim.kind == "least":
        holds, least = first <= min(rest), min(medians, key=lambda name: medians[name])
        pair = {} if holds else {name: scores[name] for name in (claim.row, least)}
        why = "; ".join([", ".join(_named(medians)), *_apart(pair)])
    else:
        holds = min(rest) >= claim.factor * first
        why = f"at least {_times(min(rest), first)} times {_number(first)}, the median of {claim.row}"
    left = [name for name in names if name not in scores]
    return ("holds" if holds else "does not hold"), why + (f" (not run: {', '.join(left)})" if left else "")


def _times(value: float, of: float) -> str:
    return f"{value / of:.0f}" if value < float("inf") else "infinitely many"


def _named(medians: Mapping[str, float]) -> list[str]:
    return [f"{name}: {'diverged' if value == float('inf') else _number(value)}" for name, value in medians.items()]


def _apart(scores: Mapping[str, Scores]) -> Iterator[str]:
    """Which neighbours the seeds tell apart."""
    names = list(scores)
    for one, other in pairwise(names):
        told = differ(scores[one].values, scores[other].values)
        words = "no test, since a seed diverged" if told is None else "told apart" if told else "not told apart"
        yield f"{one} and {other} are {words} by Welch's t-test" if told is not None else f"{one} and {other}: {words}"


def _missing(every: Iterable[Comparison]) -> str:
    names = [one.published.name for one in every if one.stored is None]
    return f"Not run for this page: {'; '.join(names)}." if names else ""


def _chapter(section: Section, rows: Sequence[Comparison]) -> Iterator[str]:
    yield f"## {section.title}"
    yield f"{section.paper}. Figures: {section.source}."
    for index, measure in enumerate(section.measures):
        title = f"{measure.title} [{measure.unit}]" if measure.unit != "1" else measure.title
        yield _table(title, [(one, one.scores[index]) for one in rows])
    yield _differences(section, rows)
    yield _reasons(section, rows)


def _table(title: str, rows: Iterable[tuple[Comparison, Scores]]) -> str:
    lines = [
        f"| {title} | ours | range | diverged | floor | theirs | ratio | gap |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_line(one, scores) for one, scores in rows)])


def _line(one: Comparison, scores: Scores) -> str:
    if one.stored is None:
        return f"| {one.published.name} | not run | | | | {_theirs(scores)} | | |"
    numbers, middle = scores.numbers, scores.median
    cells = (
        one.published.name,
        "diverged" if middle is None else _number(middle),
        f"{_number(min(numbers))} ... {_number(max(numbers))}" if numbers else "",
        f"{one.diverged} of {len(one.stored.runs)}",
        "" if scores.floor is None else _number(scores.floor),
        _theirs(scores),
        "" if middle is None or not scores.theirs else _number(middle / scores.theirs[0]),
        _GAPS[scores.gap],
    )
    return f"| {' | '.join(cells)} |"


def _theirs(scores: Scores) -> str:
    return " +- ".join(_number(figure) for figure in scores.theirs)


def _differences(section: Section, rows: Iterable[Comparison]) -> str:
    """Settings of ours that are not as published, by field, and what no field can say."""
    found: dict[str, tuple[Any, set[Any]]] = {}
    for one in rows:
        for path, theirs, ours in _unlike(section.settings, one.stored.experiment if one.stored else {}):
            found.setdefault(path, (theirs, set()))[1].add(ours)
    fields = [
        f"`{path}`: {' or '.join(map(_setting, sorted(ours, reverse=True)))}; published {_setting(theirs)}."
        for path, (theirs, ours) in found.items()
    ]
    return "\n".join(["What differs from the published settings:", "", *(f"- {x}" for x in (*fields, *section.notes))])


def _unlike(theirs: Mapping[str, Any], ours: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any, Any]]:
    for key, value in theirs.items():
        if isinstance(value, dict):
            yield from _unlike(value, ours.get(key, {}), f"{key}.")
        elif key in ours and _plain(ours[key]) != _plain(value):
            yield f"{place}{key}", _plain(value), _plain(ours[key])


def _plain(value: Any) -> Any:
    """As it can be compared and kept in a set: TOML has no null, and lists have no hash."""
    return "none" if value is None else tuple(value) if isinstance(value, list) else value


def _setting(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _reasons(section: Section, rows: Sequence[Comparison]) -> str:
    """Why the gaps are there: a row's own reason, or the section's for gaps of its kind."""
    lines = []
    for gap, why in section.reasons.items():
        names = [one.published.name for one in rows if not one.published.reason and _shows(one, gap)]
        if names:
            lines.append(f"- `{gap}` ({'; '.join(names)}): {why}")
    own = [one for one in rows if one.published.reason and any(_shows(one, gap) for gap in ("lower", "higher"))]
    lines += [f"- {one.published.name}: {one.published.reason}" for one in own]
    return "\n".join(["Reasons for the gaps:", "", *lines]) if lines else ""


def _shows(one: Comparison, gap: str) -> bool:
    return any(scores.gap == gap for scores in one.scores)


def _checks() -> str:
    """Claims measured as the page is made."""
    zero, system, error = flossed(0.0), flossed("system"), projection_error()
    lines = [
        "| claim | measured |",
        "|---|---|",
        f"| Gradient flossing moves exponents to zero (Engelken 2023, NeurIPS, arXiv 2312.17306) | {_moved(zero)} |",
        f"| The same to the spectrum of the data, a target of ours: that of Lorenz-63 | {_moved(system)} |",
        "| Forward mode gives the projection of backpropagation's gradient exactly (Yu et al. 2024, NeurIPS, SOFO) | "
        f"largest difference from V Vᵀ g in float64, relative to its largest entry: below {max(error, 1e-12):.0e} |",
    ]
    return "\n".join(lines)


def _moved(found: Flossed) -> str:
    return (
        f"tanh networks of 8 units, mean of 3 seeds [1 / step]: from {_row(found.before)} to {_row(found.after)}, "
        f"where {_row(found.target)} is asked; at most {100 * found.remaining:.0f} % of a seed's distance remain"
    )


def _row(values: Tensor) -> str:
    return f"({', '.join(f'{round(value, 3) + 0.0:.3f}' for value in values.tolist())})"  # + 0: no -0.000


def _number(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


if __name__ == "__main__":
    sys.stdout.write(page(Path(sys.argv[1])))
