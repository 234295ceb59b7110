"""Small pictures of single runs: series over training where a submission holds them, else scores on test orbits."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from chaosbench.leaderboard.schema import Row
from chaosbench.leaderboard.submissions import Submission

POINTS = 40  # of a series that is drawn
LEVELS = 64  # heights of a point; more cannot be seen in a picture of 40 pixels
_FIRST = 48  # character of the lowest level, "0"; a space stands for a number that is not finite
_LARGEST = 3_000_000  # [characters] of all pictures of a page
_SERIES = 3  # of a run

Picture = dict[str, Any]  # "series": name to low, high, logarithmic, last update, levels; "orbits": name to values


def pictures(submissions: Sequence[Submission]) -> dict[str, Picture]:
    """Return what is drawn of each run, by submission, experiment and seed; runs without anything are absent.

    Where all pictures together are too large for a page, later runs have none.
    """
    found: dict[str, Picture] = {}
    size = 0
    for number, submission in enumerate(submissions):
        for stored in submission.experiments:
            by_seed: dict[int, list[Row]] = {}
            for row in stored.records:
                by_seed.setdefault(row["seed"], []).append(row)
            for seed, rows in by_seed.items():
                picture = _series(rows) or _orbits(rows)
                size += len(str(picture))
                if picture and size <= _LARGEST:
                    found[f"{number}:{stored.runs[0]['experiment'][:16]}:{seed}"] = picture
    return found


def _series(rows: Iterable[Row]) -> Picture:
    """Return the series that were recorded during training, of which there are few names and many updates."""
    by_name: dict[str, list[tuple[int, float | None]]] = {}
    for row in rows:
        if row["update"] is not None and "." not in row["name"]:
            by_name.setdefault(row["name"], []).append((row["update"], row["value"]))
    drawn = {
        name: coded for name, points in by_name.items() if (coded := _coded(sorted(points, key=lambda one: one[0])))
    }
    return {"series": dict(list(drawn.items())[:_SERIES])} if drawn else {}


def _coded(points: Sequence[tuple[int, float | None]]) -> list[Any] | None:
    """Return lowest and highest number, whether levels are logarithms, the last update, and a letter per point."""
    step = (len(points) - 1) / (POINTS - 1)
    chosen = points if len(points) <= POINTS else [points[round(index * step)] for index in range(POINTS)]
    finite = [value for _, value in chosen if value is not None and math.isfinite(value)]
    if len(finite) < 3:
        return None
    low, high = min(finite), max(finite)
    logarithmic = low > 0 and high / low > 3
    letters = "".join(" " if value is None else _letter(value, low, high, logarithmic) for _, value in chosen)
    return [float(f"{low:.3g}"), float(f"{high:.3g}"), logarithmic, chosen[-1][0], letters]


def _letter(value: float, low: float, high: float, logarithmic: bool) -> str:
    if not math.isfinite(value):
        return " "
    place = math.log if logarithmic else float
    width = place(high) / 2 - place(low) / 2  # half of it, because the whole one may overflow
    share = (place(value) / 2 - place(low) / 2) / width if width > 0 else 0.5
    return chr(_FIRST + min(LEVELS - 1, max(0, round(share * (LEVELS - 1)))))


def _orbits(rows: Iterable[Row]) -> Picture:
    """Return the scores on single test orbits by metric, of which runs without series have some as well."""
    by_metric: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        room, _, rest = row["name"].partition(".")
        number, _, metric = rest.partition(".")
        if room == "orbit" and number.isdecimal() and row["update"] is None and row["value"] is not None:
            by_metric.setdefault(metric, []).append((int(number), row["value"]))
    return (
        {
            "orbits": {
                metric: [float(f"{value:.3g}") for _, value in sorted(values)][:POINTS]
                for metric, values in list(by_metric.items())[:_SERIES]
            }
        }
        if by_metric
        else {}
    )
