"""Tables in Markdown, and pages of which a part is generated."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from chaosbench.files import write_whole


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with one line per row; a `|` within a cell is escaped."""
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(_escaped, row))} |" for row in rows)])


def replace_section(page: Path, name: str, text: str) -> None:
    """Replace what stands on a page between the comments that mark the begin and the end of this section."""
    begin, end = (f"<!-- {edge} of the {name} -->\n" for edge in ("begin", "end"))
    head, rest = page.read_text(encoding="utf-8").split(begin)
    tail = rest.split(end)[1]
    whole = f"{head}{begin}\n{text}\n\n{end}{tail}"
    write_whole(page, lambda path: path.write_text(whole, encoding="utf-8"))


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
