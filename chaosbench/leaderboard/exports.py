"""Rankings per system as printed tables and data frames."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from chaosbench.errors import SpecError
from chaosbench.formats import number
from chaosbench.leaderboard import legend
from chaosbench.leaderboard.layouts import Printed

if TYPE_CHECKING:
    import pandas

Row = Mapping[str, Any]

_BOARD = ("system", "data", "evaluation")
_ENTRY = ("rank", "tier", "model", "trainer", "failed", "parameters")


def tables_of(rows: Sequence[Row]) -> list[Printed]:
    """Return a table per board with a line per entry, whose last line is the noise floor.

    Args:
        rows: of a ranking, one per entry and metric.
    """
    groups = groupby(rows, lambda row: tuple(row[name] for name in _BOARD))
    return [_table(system, data, list(group)) for (system, data, _), group in groups]


def to_pandas(rows: Sequence[Row]) -> "pandas.DataFrame":
    """Return a data frame with a row per entry and metric.

    Raises:
        SpecError: where pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise SpecError("pandas is not installed; pip install pandas, or use the CSV") from error
    return pandas.DataFrame([dict(row) for row in rows])


def _table(system: str, data: str, rows: Sequence[Row]) -> Printed:
    """Return the table of a board from its rows."""
    metrics = list(dict.fromkeys(row["metric"] for row in rows if row["metric"]))
    units = {row["metric"]: f"{row['metric']} [{row['unit']}] ({row['better']})" for row in rows}
    lines = []
    for entry, scores in groupby(rows, lambda row: tuple(row[name] for name in _ENTRY)):
        cells = {row["metric"]: _score(row) for row in scores}
        rank, _, model, trainer, failed, parameters = entry
        costs = [failed, "not given" if parameters is None else str(parameters)]
        lines.append([str(rank), model, trainer, *(cells[name] for name in metrics), *costs])
    floors = {row["metric"]: number(row["floor"]) for row in rows}
    return Printed(
        title=system if data == "data" else f"{system}, {data}",
        header=["#", "model", "trainer", *(units[name] for name in metrics), "failed", "parameters"],
        body=lines,
        words=frozenset({1, 2}),
        last=["", "noise floor", "two true orbits", *(floors[name] for name in metrics), "", ""],
        caption=legend.SCORES,
    )


def _score(row: Row) -> str:
    if row["median"] is None:
        return "diverged" if row["diverged"] else "-"
    if row["low"] is None:
        return number(row["median"])
    return f"{number(row['median'])} [{number(row['low'])}, {number(row['high'])}]"
