"""Checks that numbers which are computed from each other agree: a score and its parts, an exponent and its error."""

from collections.abc import Iterator, Mapping

from chaosbench.boards.contents import metric_of
from chaosbench.boards.findings import Finding, title_of
from chaosbench.boards.lock import Demand
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.statistics import median

_ROUNDING = 1e-6  # relative, of numbers that are computed from each other


def consistent(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """Scores follow from those of single test orbits, and the error of an exponent from the exponent."""
    for run in stored.runs:
        final = [row for row in stored.records if row["seed"] == run["seed"] and row["update"] is None]
        values = {row["name"]: row["value"] for row in final}
        where = f"{title_of(stored)}, seed {run['seed']}"
        for name in demand.metrics:
            if values.get(name) is not None and (why := _unlike_its_parts(stored, name, values)):
                yield Finding("consistency", f"{where}: {why}")
        exponent, error = values.get("diagnosis.lyapunov_exponent_1"), values.get("largest_exponent_error")
        if demand.exponents and exponent is not None and error is not None and demand.exponents[0] > 0:
            expected = abs(exponent - demand.exponents[0]) / demand.exponents[0]
            if abs(error - expected) > 0.01 + 0.01 * expected:
                what = (
                    f"{where}: the error of its largest exponent is {error:g}, and of {exponent:g} it is {expected:g}"
                )
                yield Finding("consistency", what)


def _unlike_its_parts(stored: Stored, name: str, values: Mapping[str, float | None]) -> str:
    """Return why a score is not the average of its scores on single test orbits; empty: it is, or has no such parts."""
    from chaosbench.metrics.orbits import ForecastMetric, FreeRunMetric

    metric = metric_of(stored, name)
    if not isinstance(metric, FreeRunMetric | ForecastMetric):
        return ""
    score, by_orbit = values[name], _by_orbit(name, values)
    assert score is not None, "asked for defined scores only"
    if not by_orbit:
        return f"{name} lacks its scores on single test orbits; results of old versions have none: run it again"
    if sorted(by_orbit) != sorted(map(str, range(len(by_orbit)))):
        return f"{name} has scores on the test orbits {', '.join(by_orbit)}, which are not counted from 0"
    parts = list(by_orbit.values())
    if isinstance(metric, ForecastMetric):
        known = [part for part in parts if part is not None]
        room = _ROUNDING * max(map(abs, (score, *known)))
        inside = len(known) == len(parts) and min(known) - room <= score <= max(known) + room
        return "" if inside else f"{name} is {score:g}, outside of its scores on single test orbits"
    runs = 1 if metric.joins_runs else stored.experiment["evaluation"]["free_runs"]
    if len(parts) != runs:
        return f"{name} has the scores of {len(parts)} free runs instead of {runs}"
    middle = median(parts, better=metric.better)  # an undefined score is the worst, as in `median_over_runs`
    agrees = middle is not None and abs(score - middle) <= _ROUNDING * max(abs(score), 1e-12)
    return "" if agrees else f"{name} is {score:g}, and the median of its free runs is not"


def _by_orbit(name: str, values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the scores on single test orbits that are stored under `orbit.INDEX.NAME`, by the text of the index."""
    split = [(key.split(".", 2), value) for key, value in values.items() if key.startswith("orbit.")]
    return {parts[1]: value for parts, value in split if parts[2:] == [name]}
