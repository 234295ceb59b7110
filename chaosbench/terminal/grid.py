"""Tables of text: columns side by side, cells of several lines, and labels folded without breaking a number."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.text import Text

Lines = list[str]


@dataclass(frozen=True)
class Column:
    """A column of a grid.

    Attributes:
        header: lines of the header, which stand at the bottom of the header row.
        cells: lines of each cell; the first line is plain and the others are dim.
        justify: the side at which the lines are aligned.
        width: [characters]; every line fits.
    """

    header: Lines
    cells: Sequence[Lines]
    justify: Literal["left", "right"]
    width: int


def grid(columns: Sequence[Column], *, gap: int, rule_before_last: bool) -> Text:
    """Draw columns side by side, with rules around the header and the rows.

    Args:
        columns: all with the same number of cells.
        gap: [characters] between two columns.
        rule_before_last: draw a rule before the last row as well.
    """
    rule = "─" * (sum(column.width for column in columns) + gap * (len(columns) - 1))
    height = max(len(column.header) for column in columns)
    header = [[*[""] * (height - len(column.header)), *column.header] for column in columns]
    text = Text(rule + "\n", no_wrap=True, overflow="ignore")
    _append_row(text, header, columns, gap, dim=False)
    text.append(rule + "\n")
    rows = list(zip(*(column.cells for column in columns), strict=True))
    for index, row in enumerate(rows):
        if rule_before_last and index == len(rows) - 1:
            text.append(rule + "\n")
        _append_row(text, row, columns, gap, dim=True)
    return text.append(rule)


def _append_row(text: Text, cells: Sequence[Lines], columns: Sequence[Column], gap: int, *, dim: bool) -> None:
    for number in range(max(map(len, cells))):
        lines = [cell[number] if number < len(cell) else "" for cell in cells]
        padded = [
            line.rjust(column.width) if column.justify == "right" else line.ljust(column.width)
            for line, column in zip(lines, columns, strict=True)
        ]
        text.append((" " * gap).join(padded).rstrip() + "\n", style="dim" if dim and number else "")


def widened(widths: Sequence[int], targets: Sequence[int], spare: int) -> list[int]:
    """Return widths that grow one character at a time, column by column, towards their targets.

    Args:
        widths, targets: one per column [characters]; a column beyond its target stays as it is.
        spare: number of characters to distribute; those that no column needs are not used.
    """
    grown = list(widths)
    while spare > 0 and any(width < target for width, target in zip(grown, targets, strict=True)):
        for index, target in enumerate(targets):
            if grown[index] < target and spare > 0:
                grown[index] += 1
                spare -= 1
    return grown


def fold(label: str, width: int, *, indent: str = "", hang: str = "") -> Lines:
    """Fold a label into lines of at most `width` characters, without breaking a number.

    Lines break at spaces. A word that is longer than a line also breaks after underscores, commas and equals signs, and
    before opening brackets; a piece that is still too long stands on a line of its own.

    Args:
        label: the text.
        width: [characters].
        indent: starts every line.
        hang: further indentation of all lines but the first.
    """
    room = width - len(indent + hang)
    pieces = [
        piece
        for word in re.findall(r"\S+\s*", label)
        for piece in ([word] if len(word.rstrip()) <= room else re.split(r"(?<=[_=])|(?<=,)(?!\d)|(?=\()", word))
    ]
    lines, line = [], indent
    for piece in pieces:
        if len((line + piece).rstrip()) > width and line.strip():
            lines.append(line.rstrip())
            line = indent + hang
        line += piece
    return [*lines, line.rstrip()]
