"""Printed tables as CSV, Markdown, LaTeX and HTML, whose names can neither end a cell nor execute anything."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

Row = Mapping[str, Any]
Cells = Sequence[str]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # at the start of a cell, spreadsheets execute what follows


@dataclass(frozen=True)
class Printed:
    """A table of texts.

    Attributes:
        title: one line.
        header: of the columns.
        body: a line per row.
        words: the columns that hold words, which begin at the left; numbers end at the right.
        last: a line below a rule; empty: there is none.
        caption: sentences that say what the numbers are; empty: the title says it.
    """

    title: str
    header: Cells
    body: Sequence[Cells]
    words: frozenset[int] = frozenset()
    last: Cells = ()
    caption: str = ""

    @property
    def lines(self) -> list[Cells]:
        """All lines below the header."""
        return [*self.body, *([self.last] if self.last else [])]


def to_csv(rows: Sequence[Row], names: Sequence[str] | None = None) -> str:
    """Return a line per row with all digits; an undefined number is an empty cell, and no text is a formula.

    Args:
        rows: with equal keys.
        names: the columns, in order; None: the keys of the first row.
    """
    text = io.StringIO()
    known = names if names is not None else list(rows[0]) if rows else []
    writer = csv.DictWriter(text, known, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: harmless(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def harmless(value: Any) -> Any:
    """Return a value that no spreadsheet executes: a text that would begin a formula begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def to_markdown(tables: Sequence[Printed]) -> str:
    """Return Markdown tables with their captions; names are no markup in them."""
    return "\n".join(map(_markdown, tables))


def to_latex(tables: Sequence[Printed]) -> str:
    """Return a LaTeX `table` with `tabular` for each table, for the package booktabs."""
    return "\n".join(map(_latex, tables))


def to_html(tables: Sequence[Printed]) -> str:
    """Return HTML tables in which every text is escaped, without styles or programs."""
    return "\n".join(map(_html, tables))


def markdown_escaped(text: str) -> str:
    """Return a text on one line that Markdown shows as it is, without markup, links, formulas or mentions."""
    plain = " ".join(text.split())
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "&#64;"), ("://", "&#58;//")):
        plain = plain.replace(letter, entity)
    return _MARKUP.sub(lambda found: f"\\{found[0]}", _REFERENCE.sub(lambda found: f"&#{ord(found[0])};", plain))


def latex_escaped(text: str) -> str:
    """Return a text in which no character has a meaning to LaTeX."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--"}
    return "".join(special.get(letter, rf"\{letter}" if letter in "#$%&_{}" else letter) for letter in text)


LAYOUTS = ("csv", "markdown", "latex", "html")
PRINTERS: dict[str, Callable[[Sequence[Printed]], str]] = {
    "markdown": to_markdown,
    "latex": to_latex,
    "html": to_html,
}
# What has a meaning wherever it stands; underscores only at the ends of words, brackets only where a link may follow.
_MARKUP = re.compile(r"[\\`*|~$]|(?<!\w)_|_(?!\w)|\](?=[(\[:])")
_REFERENCE = re.compile(r"(?<!&)#(?=\d)|(?<=\bwww)\.", re.IGNORECASE)  # to other pages


def _markdown(table: Printed) -> str:
    def line(cells: Cells) -> str:
        return f"| {' | '.join(map(markdown_escaped, cells))} |"

    aligned = ["---" if index in table.words else "---:" for index in range(len(table.header))]
    parts = [f"**{markdown_escaped(table.title)}**", "", line(table.header), f"| {' | '.join(aligned)} |"]
    parts += [*map(line, table.lines), ""]
    return "\n".join([*parts, markdown_escaped(table.caption), ""] if table.caption else parts)


def _latex(table: Printed) -> str:
    def line(cells: Cells) -> str:
        return rf"{' & '.join(map(latex_escaped, cells))} \\"

    caption = latex_escaped(f"{table.title}. {table.caption}" if table.caption else f"{table.title}.")
    columns = "".join("l" if index in table.words else "r" for index in range(len(table.header)))
    last = [r"\midrule", line(table.last)] if table.last else []
    begin = [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}", rf"\begin{{tabular}}{{{columns}}}"]
    body = [r"\toprule", line(table.header), r"\midrule", *map(line, table.body), *last, r"\bottomrule"]
    return "\n".join([*begin, *body, r"\end{tabular}", r"\end{table}", ""])


def _html(table: Printed) -> str:
    def cells(mark: str, texts: Cells) -> str:
        places = ["left" if index in table.words else "right" for index in range(len(texts))]
        pairs = zip(places, texts, strict=True)
        return "".join(f'<{mark} style="text-align: {place}">{escape(text)}</{mark}>' for place, text in pairs)

    body = "\n".join(f"<tr>{cells('td', line)}</tr>" for line in table.lines)
    note = f"<p>{escape(table.caption)}</p>\n" if table.caption else ""
    head = f"<caption>{escape(table.title)}</caption>\n<thead><tr>{cells('th', table.header)}</tr></thead>"
    return f"<table>\n{head}\n<tbody>\n{body}\n</tbody>\n</table>\n{note}"
