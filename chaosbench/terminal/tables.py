"""Tables of words and numbers that fit the terminal, in which no number is cut or broken."""

from collections.abc import Iterable, Sequence
from typing import Literal

from rich.text import Text

from chaosbench.terminal.grid import Column, fold, grid, widened

_GAP = 2  # [characters] between two columns


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, width: int, right: Sequence[str] = (), bold: str = ""
) -> Text:
    """Draw a table whose cells are folded between words; where columns do not fit, a list of fields for each row.

    Args:
        headings: of the columns.
        rows: a text for each column.
        width: of the terminal [characters].
        right: headings of the columns that are aligned at the right side.
        bold: a word that is drawn in red wherever it stands.
    """
    cells = [[" ".join(text.split()) for text in row] for row in rows]
    columns = list(zip(headings, *cells, strict=True))
    least = [max(_longest(text) for text in column) for column in columns]
    spare = width - sum(least) - _GAP * (len(columns) - 1)
    drawn = _list(headings, cells, width) if spare < 0 else _grid(columns, _widths(columns, least, spare), right)
    if bold:
        drawn.highlight_words([bold], "bold red")
    return drawn


def _widths(columns: Sequence[Sequence[str]], least: Sequence[int], spare: int) -> list[int]:
    """Return widths of columns that share the room, the longest text last: it is a description, and folds well."""
    targets = [max(map(len, column)) for column in columns]
    return widened(least, targets, spare)


def _grid(columns: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[str]) -> Text:
    drawn = [
        Column(fold(column[0], width), [fold(text, width) for text in column[1:]], _side(column[0] in right), width)
        for column, width in zip(columns, widths, strict=True)
    ]
    return grid(drawn, gap=_GAP, rule_before_last=False)


def _side(right: bool) -> Literal["left", "right"]:
    return "right" if right else "left"


def _list(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Text:
    """Draw each row as a list of its fields."""
    blocks = []
    for row in rows:
        lines = [fold(row[0], width, hang="  ")]
        pairs = zip(headings[1:], row[1:], strict=True)
        lines += [
            fold(f"{heading}: {text}".removeprefix(": "), width, indent="  ", hang="  ")
            for heading, text in pairs
            if text
        ]
        blocks.append("\n".join(line for some in lines for line in some))
    return Text("\n".join(blocks), no_wrap=True, overflow="ignore")


def _longest(text: str) -> int:
    """Return the width of the longest piece of a text that a fold leaves whole [characters]."""
    return max(map(len, fold(text, 1)), default=0)
