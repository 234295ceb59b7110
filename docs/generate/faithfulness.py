"""The page on published results and ours: `python -m docs.generate.faithfulness RESULTS > docs/faithfulness.md`."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor

from chaosbench.leaderboard.statistics import differ
from docs.generate.checks import Flossed, flossed, projection_error
from docs.generate.markdown import table
from docs.generate.published import Claim, Comparison, Scores, Section, compared, newest_first, published

_INTRODUCTION = """\
# Published results and ours

The suite `faithful` repeats published experiments, each in minutes on one core. Our numbers come from the tables in
`leaderboards/faithful`, which are those of a results directory after `chaosbench run faithful`, without the weights.
The published numbers come from `docs/generate/published.toml`, which no other program reads. This page is generated
from both by `python -m docs.generate.faithfulness leaderboards/faithful`.

The columns of the tables are:

- *ours*: our median over seeds. A seed *diverged* if its free run is not finite or never visits the region of the true
  orbit; a seed without a score counts as worst.
- *range*: our lowest and highest score over seeds.
- *floor*: the score of another true orbit of the same length.
- *theirs*: the published mean and its standard error.
- *ratio*: our median divided by their mean.
- *gap*: the difference between the means, ours over the seeds that have a score. It is `within` two standard errors,
  or ours is `lower` or `higher`; `at the floor` if our median is at most 1.1 times the floor, where scores no longer
  differ meaningfully; or `both miss` the attractor."""


def page(results: Path) -> str:
    """Return the page for a results directory, or for the tables of one in leaderboards/."""
    data, stored = published(), newest_first(results)
    chapters = [(section, compared(section, stored)) for section in data.sections]
    comparisons = {row.published.name: row for _, rows in chapters for row in rows}
    parts = [
        _INTRODUCTION,
        _cost([row for row in comparisons.values() if row.stored is not None]),
        "## Conclusions of the papers",
        _claims(data.claims, comparisons),
        _missing(comparisons.values()),
        *(part for section, rows in chapters for part in _chapter(section, rows)),
        "## Claims checked when this page is generated",
        _checks(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _cost(run: Sequence[Comparison]) -> str:
    seeds = sum(len(row.stored.runs) for row in run if row.stored)
    diverged, failed = sum(row.diverged for row in run), sum(row.failed for row in run)
    versions = sorted({version for row in run if row.stored for version in _versions(row.stored.runs)})
    minutes = sum(row.seconds for row in run) / 60
    return (
        f"{len(run)} experiments with {seeds} runs took {minutes:.0f} minutes of one core that was shared with other "
        f"work. {diverged} runs diverged and {failed} failed. Versions: {', '.join(versions)}."
    )


def _versions(runs: Iterable[Mapping[str, Any]]) -> set[str]:
    return {f"{name} {run['provenance'][name]}" for run in runs for name in ("chaosbench", "torch")}


def _claims(claims: Iterable[Claim], comparisons: Mapping[str, Comparison]) -> str:
    rows = [(claim.text, *_verdict(claim, comparisons)) for claim in claims]
    return table(("conclusion of the paper", "our runs", "median D_stsp [nats], and tests"), rows)


def _verdict(claim: Claim, comparisons: Mapping[str, Comparison]) -> tuple[str, str]:
    """Compare a claim with our medians, and return the verdict and its numbers; rows that were not run are ignored."""
    names = [*([claim.row] if claim.row else []), *claim.rows]
    scores = {name: comparisons[name].scores[0] for name in names if comparisons[name].stored is not None}
    if claim.row not in (*scores, "") or len(scores) < 2:
        return "not run", ""
    if claim.kind == "ascending" and len(scores) < len(claim.rows):
        return "not run", ""
    worst = float("inf")
    medians = {name: worst if score.median is None else score.median for name, score in scores.items()}
    first, rest = medians[next(iter(medians))], list(medians.values())[1:]
    if claim.kind == "ascending":
        holds = list(medians.values()) == sorted(medians.values())
        why = "; ".join([*_named(medians), *_apart(scores)])
    elif claim.kind == "least":
        holds, least = first <= min(rest), min(medians, key=lambda name: medians[name])
        pair = {} if holds else {name: scores[name] for name in (claim.row, least)}
        why = "; ".join([*_named(medians), *_apart(pair)])
    else:
        holds = min(rest) >= claim.factor * first
        why = f"every median is at least {_times(min(rest), first)} times that of {claim.row}, {_number(first)}"
    missing = [name for name in names if name not in scores]
    return ("holds" if holds else "does not hold"), why + (f" (not run: {', '.join(missing)})" if missing else "")


def _times(value: float, of: float) -> str:
    return f"{value / of:.0f}" if value < float("inf") else "infinitely many"


def _named(medians: Mapping[str, float]) -> list[str]:
    return [f"{name}: {'diverged' if value == float('inf') else _number(value)}" for name, value in medians.items()]


def _apart(scores: Mapping[str, Scores]) -> Iterator[str]:
    """Describe for each pair of neighbouring rows whether their seeds differ significantly."""
    for first, second in pairwise(scores):
        significant = differ(scores[first].values, scores[second].values)
        if significant is None:
            yield f"{first} and {second}: no test, because a seed diverged"
        else:
            verb = "differ" if significant else "do not differ"
            yield f"{first} and {second} {verb} significantly by Welch's t-test"


def _missing(comparisons: Iterable[Comparison]) -> str:
    names = [row.published.name for row in comparisons if row.stored is None]
    return f"Not run for this page: {'; '.join(names)}." if names else ""


def _chapter(section: Section, rows: Sequence[Comparison]) -> Iterator[str]:
    yield f"## {section.title}"
    yield f"{section.paper}. Source: {section.source}."
    for index, measure in enumerate(section.measures):
        title = f"{measure.title} [{measure.unit}]" if measure.unit != "1" else measure.title
        header = (title, "ours", "range", "diverged", "floor", "theirs", "ratio", "gap")
        yield table(header, [_cells(row, row.scores[index]) for row in rows])
    yield _differences(section, rows)
    yield _reasons(section, rows)


def _cells(row: Comparison, scores: Scores) -> tuple[str, ...]:
    if row.stored is None:
        return (row.published.name, "not run", "", "", "", _theirs(scores), "", "")
    numbers, median = scores.numbers, scores.median
    return (
        row.published.name,
        "diverged" if median is None else _number(median),
        f"{_number(min(numbers))} ... {_number(max(numbers))}" if numbers else "",
        f"{row.diverged} of {len(row.stored.runs)}",
        "" if scores.floor is None else _number(scores.floor),
        _theirs(scores),
        "" if median is None or not scores.theirs else _number(median / scores.theirs[0]),
        "" if scores.gap == "none published" else scores.gap,
    )


def _theirs(scores: Scores) -> str:
    return " +- ".join(_number(figure) for figure in scores.theirs)


def _differences(section: Section, rows: Iterable[Comparison]) -> str:
    """List the fields whose values differ from the published ones, followed by the notes of the section."""
    differences: dict[str, tuple[Any, set[Any]]] = {}
    for row in rows:
        for path, theirs, ours in _different(section.settings, row.stored.experiment if row.stored else {}):
            differences.setdefault(path, (theirs, set()))[1].add(ours)
    fields = [
        f"`{path}`: {' or '.join(map(_setting, sorted(ours, reverse=True)))}; published {_setting(theirs)}."
        for path, (theirs, ours) in differences.items()
    ]
    lines = [f"- {line}" for line in (*fields, *section.notes)]
    return "\n".join(["Differences from the published settings:", "", *lines])


def _different(theirs: Mapping[str, Any], ours: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the path, their value and our value of every setting that differs, level by level."""
    for key, value in theirs.items():
        if isinstance(value, dict):
            yield from _different(value, ours.get(key, {}), f"{key}.")
        elif key in ours and _plain(ours[key]) != _plain(value):
            yield f"{prefix}{key}", _plain(value), _plain(ours[key])


def _plain(value: Any) -> Any:
    """Return a value that compares and hashes: TOML has no null, and lists have no hash."""
    return "none" if value is None else tuple(value) if isinstance(value, list) else value


def _setting(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _reasons(section: Section, rows: Sequence[Comparison]) -> str:
    """List the reasons for the gaps: by kind of gap, and for rows with a reason of their own."""
    lines = []
    for gap, why in section.reasons.items():
        names = [row.published.name for row in rows if not row.published.reason and _has_gap(row, gap)]
        if names:
            lines.append(f"- `{gap}` ({'; '.join(names)}): {why}")
    own = [row for row in rows if row.published.reason and (_has_gap(row, "lower") or _has_gap(row, "higher"))]
    lines += [f"- {row.published.name}: {row.published.reason}" for row in own]
    return "\n".join(["Reasons for the gaps:", "", *lines]) if lines else ""


def _has_gap(row: Comparison, gap: str) -> bool:
    return any(scores.gap == gap for scores in row.scores)


def _checks() -> str:
    """Return the table of claims that are checked while the page is generated."""
    zero, system, error = flossed(0.0), flossed("system"), projection_error()
    rows = [
        ("Gradient flossing moves exponents to zero (Engelken 2023, NeurIPS, arXiv 2312.17306).", _moved(zero)),
        ("It also moves them to a target of ours, the spectrum of the data of Lorenz-63.", _moved(system)),
        (
            "Forward mode gives the projection of the backpropagated gradient exactly (Yu et al. 2024, NeurIPS, SOFO).",
            "largest difference from V Vᵀ g in float64, relative to the largest entry of V Vᵀ g: "
            f"below {max(error, 1e-12):.0e}",
        ),
    ]
    return table(("claim", "result"), rows)


def _moved(spectra: Flossed) -> str:
    return (
        f"tanh networks of 8 units, mean of 3 seeds [1 / step]: from {_row(spectra.before)} to {_row(spectra.after)}, "
        f"with target {_row(spectra.target)}; at most {100 * spectra.remaining:.0f} % of a seed's initial distance to "
        f"the target remain"
    )


def _row(values: Tensor) -> str:
    return f"({', '.join(f'{round(value, 3) + 0.0:.3f}' for value in values.tolist())})"  # + 0: no -0.000


def _number(value: float) -> str:
    """Format a number with three significant digits."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


if __name__ == "__main__":
    sys.stdout.write(page(Path(sys.argv[1])))
