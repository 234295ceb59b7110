"""Checks of scores: the demanded ones in their order, possible numbers, and one scale for all methods of a system."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chaosbench.boards.contents import known_metric
from chaosbench.boards.findings import Finding, title_of
from chaosbench.boards.lock import Demand, Lock
from chaosbench.leaderboard.folder import FINISHED, Stored
from chaosbench.leaderboard.schema import Row
from chaosbench.leaderboard.submissions import Submission

# A divergence D that is estimated from n samples has a standard error of about sqrt(2 D / n) where both densities are
# close, so that four standard errors below D are never below -16 / (2 n). Below 0, an estimate ranks as its floor.
_SAMPLED = 16 / (2 * 1_000)  # [nats]; n = 1,000 as in `MixtureDivergence`
_ROUNDING = 1e-6  # relative, of numbers that are computed from each other
_UNIT_INTERVAL = ("power_spectrum_distance",)  # Hellinger distances
# The orbits of another machine are other samples of the truth, and so are their scores.
_OTHER_ORBITS = 3.0  # largest factor between two floors
_SMALL = 0.01  # difference of two floors that says nothing, whatever their ratio


class _Scale(NamedTuple):
    better: str
    unit: str
    floor: float | None


def is_score(row: Row) -> bool:
    """Return True for a final number of which lower or higher ones are better."""
    return row["update"] is None and bool(row["better"])


def complete(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """A run with a result has the metrics that the board demands in their order, since the first one ranks."""
    seeds = {run["seed"] for run in stored.runs}
    for seed in sorted({row["seed"] for row in stored.records} - seeds):
        yield Finding("metrics", f"{title_of(stored)} has numbers of the seed {seed}, which it did not run")
    for run in stored.runs:
        where = f"{title_of(stored)}, seed {run['seed']}"
        names = [row["name"] for row in stored.records if row["seed"] == run["seed"] and is_score(row)]
        lacking = [name for name in demand.metrics if name not in names] if run["status"] in FINISHED else []
        if lacking:
            yield Finding("metrics", f"{where} lacks {', '.join(lacking)}")
        elif other := [name for name in names if name not in demand.metrics]:
            yield Finding("metrics", f"{where} has scores that the board does not demand: {', '.join(other[:3])}")
        elif names and list(dict.fromkeys(names)) != [name for name in demand.metrics if name in names]:
            yield Finding("metrics", f"{where} has the metrics in another order than {', '.join(demand.metrics)}")


def possible(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """Numbers lie where such numbers can lie."""
    for row in stored.records:
        value, where = row["value"], f"{title_of(stored)}, seed {row['seed']}: {row['name']}"
        for number, what in ((value, where), (row["floor"], f"the truth's {where}")):
            if number is not None and not math.isfinite(number):
                yield Finding("values", f"{what} is {number}; a number that is not defined is null")
        if value is None or not math.isfinite(value) or not is_score(row):
            continue
        if row["better"] == "lower" and value < (-_SAMPLED if "divergence" in row["name"] else 0):
            yield Finding("values", f"{where} is {value:g}, and errors and divergences are never negative")
        elif row["name"].partition("(")[0] in _UNIT_INTERVAL and value > 1 + _ROUNDING:
            yield Finding("values", f"{where} is {value:g}, and such distances end at 1")
        elif row["unit"] == "Lyapunov times" and demand.exponents and value > _longest(stored, demand):
            yield Finding("values", f"{where} is {value:g}, longer than every forecast of this evaluation")


def exponents(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """The truth beside the scores is the certified one."""
    if not demand.exponents:
        return
    floors = {row["floor"] for row in stored.records if row["name"] == "diagnosis.lyapunov_exponent_1"} - {None}
    for floor in sorted(floors):
        if abs(floor - demand.exponents[0]) > 0.02 * abs(demand.exponents[0]):
            what = f"{title_of(stored)}: it takes {floor:g} for the largest exponent of {demand.system}"
            yield Finding("exponents", f"{what}, which is certified as {demand.exponents[0]:g}")


def same_scales(submission: Submission, lock: Lock, others: Sequence[Submission]) -> Iterator[Finding]:
    """Unit, direction and floor of a metric on a system are the same for all, because they decide who is better.

    So are the shares that the truth has with a metric, by which it may have no resolution on the system.
    """
    known: dict[tuple[str, str, str], _Scale] = {}
    for one in (*others, submission):
        for stored in one.experiments:
            demand = lock.find(" ".join(stored.sources), stored.board.evaluation)
            metrics = () if demand is None else demand.metrics
            for row in stored.records if metrics else ():
                if not is_score(row) and not _is_detail(row, metrics):
                    continue
                own = _Scale(row["better"], row["unit"], row["floor"])
                first = known.setdefault((*stored.board[2:], row["name"]), own)
                new = one is submission and (own != first or own is first)
                if new and (why := _differing(row["name"], own, first)):
                    yield Finding("scales", f"{title_of(stored)}, seed {row['seed']}: {why}")


def _is_detail(row: Row, metrics: Sequence[str]) -> bool:
    """Return True for a final number that is stored with one of the metrics, under its name and one of its own."""
    return row["update"] is None and row["name"].rpartition(".")[0] in metrics


def _differing(name: str, own: _Scale, first: _Scale) -> str:
    """Return how the scale of a metric differs from that of its class, or of the first who handed it in."""
    metric = known_metric(name) if own.better else None  # which a detail of a metric is not
    better, unit = (first.better, first.unit) if metric is None else (metric.better, metric.unit)
    if own.better != better:
        return f"of {name} it calls {own.better!r} better, and {better!r} is"
    if own.unit != unit:
        return f"{name} is in {own.unit!r} instead of {unit!r}"
    if not _near(own.floor, first.floor):
        return f"the truth's {name} is {_told(own.floor)}, and {_told(first.floor)} elsewhere on this system"
    return ""


def _near(one: float | None, other: float | None) -> bool:
    """Return True if two floors can be those of the same system."""
    if one is None or other is None:
        return one is other
    low, high = sorted((abs(one), abs(other)))
    return abs(one - other) <= _SMALL or (one * other > 0 and high <= _OTHER_ORBITS * low)


def _told(number: float | None) -> str:
    return "undefined" if number is None else f"{number:g}"


def _longest(stored: Stored, demand: Demand) -> float:
    """Return the length of the longest forecast [Lyapunov times]; a test orbit bounds it."""
    horizon = stored.experiment["evaluation"].get("horizon") or stored.experiment["data"].get("test_length", math.inf)
    assert demand.exponents, "asked for chaotic systems only"
    return float(horizon) * demand.dt * demand.exponents[0] * (1 + 1e-3)
