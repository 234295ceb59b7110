"""The page on published results and ours: `python -m docs.generate.faithfulness RESULTS > docs/faithfulness.md`."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log
from pathlib import Path
from typing import Any

from torch import Tensor

from chaosbench.systems import Lorenz63
from docs.generate.checks import Flossed, flossed, projection_error
from docs.generate.claims import claims_page
from docs.generate.markdown import table
from docs.generate.published import Comparison, Scores, Section, compared, newest_first, published

_INTRODUCTION = """\
# Published results and ours

The suite `faithful` repeats published experiments, each in minutes on one core. Our numbers come from the tables in
`leaderboards/faithful`, which are those of a results directory after `chaosbench run faithful`, without the weights.
The published numbers come from `docs/generate/published.toml`, which no other program reads. This page is generated
from both by `python -m docs.generate.faithfulness leaderboards/faithful`.

The columns of the tables are:

- *ours*: our median over seeds. A seed without a score in the convention of the paper counts as worst.
- *range*: our lowest and highest score over seeds.
- *diverged*: seeds whose free run is not finite or leaves a box of ten standard deviations around the data. A bounded
  free run that misses the attractor did not diverge.
- *floor*: the score of another true orbit of the same length.
- *theirs*: the published mean and its standard error.
- *ratio*: our median divided by their mean.
- *gap*: the difference between the means, by its 95 % interval (Student's t for ours, two standard errors for theirs).
  Ours is `lower` or `higher` if the interval excludes zero; otherwise `within` it if its half width is at most half of
  their mean, and `cannot be told` if it is wider. A seed without a score is worse than any number, so that a mean over
  the other seeds can only show that ours is `higher`. A row is `at the floor` if its median is at most 1.1 times the
  floor, where scores no longer differ meaningfully; or `both miss` the attractor.

All rows have three seeds, and at n = 3 most differences cannot be told."""


def page(results: Path) -> str:
    """Return the page for a results directory, or for the tables of one in leaderboards/."""
    data, stored = published(), newest_first(results)
    chapters = [(section, compared(section, stored)) for section in data.sections]
    comparisons = {row.published.name: row for _, rows in chapters for row in rows}
    parts = [
        _INTRODUCTION,
        _cost([row for row in comparisons.values() if row.stored is not None]),
        "## Conclusions of the papers",
        claims_page(data.claims, comparisons),
        "## The interval and the predictability time",
        _predictability(comparisons),
        _missing(comparisons.values()),
        *(part for section, rows in chapters for part in _chapter(section, rows)),
        "## Claims checked when this page is generated",
        _checks(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _cost(run: Sequence[Comparison]) -> str:
    seeds = sum(len(row.stored.runs) for row in run if row.stored)
    diverged, failed = sum(row.diverged for row in run), sum(row.failed for row in run)
    runs = f"{diverged} free run" + ("" if diverged == 1 else "s")
    versions = sorted({version for row in run if row.stored for version in _versions(row.stored.runs)})
    minutes = sum(row.seconds for row in run) / 60
    return (
        f"{len(run)} experiments with {seeds} runs took {minutes:.0f} minutes of one core that was shared with other "
        f"work. {runs} diverged (not finite, or outside the box of ten standard deviations) and {failed} "
        f"runs failed. Versions: {', '.join(versions)}.{_earlier(run)}"
    )


def _earlier(run: Sequence[Comparison]) -> str:
    count = sum(row.earlier for row in run)
    if not count:
        return ""
    return (
        f" {count} rows, with a dash under *diverged*, were run by an earlier version, whose D_stsp ignored states off "
        "the grid, and whose rule for diverged runs was another."
    )


def _versions(runs: Iterable[Mapping[str, Any]]) -> set[str]:
    return {f"{name} {run['provenance'][name]}" for run in runs for name in ("chaosbench", "torch")}


def _predictability(comparisons: Mapping[str, Comparison]) -> str:
    """Compare the paper's rule for the interval with the certified exponent of its system."""
    system = Lorenz63(rho=38.0)
    assert system.reference is not None
    assert system.reference.predictability_time is not None
    steps = system.reference.predictability_time / system.dt
    best = comparisons["LSTM, tau = 30"]
    scores = "; ".join(
        f"{row.default.median:.3g} at tau = {row.stored.experiment['trainer']['interval']}"
        for name in ("LSTM, tau = 30", "LSTM, tau = 50", "LSTM, tau = 63", "LSTM, tau = 70")
        if (row := comparisons[name]).stored is not None and row.default.median is not None
    )
    rows = [
        (
            "The best interval is the predictability time tau_pred = ln 2 / lambda_max, marked at 30 steps.",
            f"With the certified exponent, lambda_max = {system.reference.largest:.4g} per unit of time at rho = 38, "
            f"and dt = {system.dt}, tau_pred is {steps:.1f} steps. Median D_stsp of the LSTM: {scores}.",
            "The paper's mark belongs to another exponent: 30 steps mean lambda_max = "
            f"{log(2) / (30 * system.dt):.3g}. They are {30 / steps:.2f} tau_pred, so that the rule as written chooses "
            f"an interval {steps / 30:.1f} times as long.",
        )
    ]
    text = table(("claim", "ours", "why"), rows)
    budget = f"The rows have {best.budget.updates:,} updates." if best.stored is not None else ""
    more = "[forcing-interval.md](forcing-interval.md) measures the best multiple of tau_pred on other systems."
    return f"{text}\n\n{budget} {more}".replace("\n\n ", "\n\n")


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
        "no score" if median is None else _number(median),
        f"{_number(min(numbers))} ... {_number(max(numbers))}" if numbers else "",
        "-" if row.earlier else f"{row.diverged} of {len(row.stored.runs)}",
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
    if not lines:
        return ""
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
