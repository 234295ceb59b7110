"""Rows of a ranking as CSV, Markdown, LaTeX and pandas."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from chaosbench.errors import SpecError
from chaosbench.formats import number

if TYPE_CHECKING:
    import pandas

Row = Mapping[str, Any]

_BOARD = ("system", "data", "evaluation")
_ENTRY = ("rank", "tier", "model", "trainer", "failed", "parameters")


def to_csv(rows: Sequence[Row]) -> str:
    """Return a line per entry and metric, with all digits; an undefined number is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_markdown(rows: Sequence[Row]) -> str:
    """Return a table per board with a line per entry; each score has its 95 % interval in brackets."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    def table(title: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
        aligned = ["---:" if index == 0 or index > 2 else "---" for index in range(len(header))]
        return "\n".join([f"**{title}**", "", line(header), line(aligned), *map(line, body), ""])

    return "\n".join(_tables(rows, table))


def to_latex(rows: Sequence[Row]) -> str:
    r"""Return a `table` with `tabular` per board, for the package booktabs; each score has its 95 % interval."""

    def table(title: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
        def line(cells: Sequence[str]) -> str:
            return rf"{' & '.join(map(_escaped, cells))} \\"

        *entries, floor = body
        return "\n".join(
            [
                r"\begin{table}",
                r"\centering",
                rf"\caption{{{_escaped(title)}. Median over seeds with 95 \% interval in brackets.}}",
                rf"\begin{{tabular}}{{rll{'r' * (len(header) - 3)}}}",
                r"\toprule",
                line(header),
                r"\midrule",
                *map(line, entries),
                r"\midrule",
                line(floor),
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table}",
                "",
            ]
        )

    return "\n".join(_tables(rows, table))


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


FORMATS: dict[str, Callable[[Sequence[Row]], str]] = {"csv": to_csv, "markdown": to_markdown, "latex": to_latex}


def _tables(rows: Sequence[Row], table: Callable[[str, Sequence[str], Sequence[Sequence[str]]], str]) -> list[str]:
    """Return one table per board, whose last line is the noise floor."""
    tables = []
    for board, group in groupby(rows, lambda row: tuple(row[name] for name in _BOARD)):
        own = list(group)
        metrics = list(dict.fromkeys(row["metric"] for row in own if row["metric"]))
        units = {row["metric"]: f"{row['metric']} [{row['unit']}] ({row['better']})" for row in own}
        lines = []
        for entry, scores in groupby(own, lambda row: tuple(row[name] for name in _ENTRY)):
            cells = {row["metric"]: _score(row) for row in scores}
            rank, _, model, trainer, failed, parameters = entry
            lines.append(
                [
                    str(rank),
                    model,
                    trainer,
                    *(cells[name] for name in metrics),
                    failed,
                    "not given" if parameters is None else str(parameters),
                ]
            )
        floors = {row["metric"]: number(row["floor"]) for row in own}
        lines.append(["", "noise floor", "two true orbits", *(floors[name] for name in metrics), "", ""])
        title = board[0] if board[1] == "data" else f"{board[0]}, {board[1]}"
        header = ["#", "model", "trainer", *(units[name] for name in metrics), "failed", "parameters"]
        tables.append(table(title, header, lines))
    return tables


def _score(row: Row) -> str:
    if row["median"] is None:
        return "diverged" if row["diverged"] else "-"
    if row["low"] is None:
        return number(row["median"])
    return f"{number(row['median'])} [{number(row['low'])}, {number(row['high'])}]"


def _escaped(text: str) -> str:
    """Return text in which no character has a meaning to LaTeX."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(letter, rf"\{letter}" if letter in "#$%&_{}" else letter) for letter in text)
