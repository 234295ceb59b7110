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
    room = width - _GAP * (len(columns) - 1)
    words, pieces = ([max(longest(text) for text in column) for column in columns] for longest in (_word, _piece))
    least = words if sum(words) <= room else [words[0], *pieces[1:]]
    drawn = _list(headings, cells, width)
    if sum(least) <= room:
        targets = [max(map(len, column)) for column in columns]
        drawn = _grid(columns, widened(least, targets, room - sum(least)), right)
    if bold:
        drawn.highlight_words([bold], "bold red")
    return drawn


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


def _word(text: str) -> int:
    """Return the width of the longest word [characters]."""
    return max(map(len, text.split()), default=0)


def _piece(text: str) -> int:
    """Return the width of the longest piece of a word that a fold leaves whole [characters]."""
    return max(map(len, fold(text, 1)), default=0)
