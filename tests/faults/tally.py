"""Count what a fault has done: how often it was tried, and what was lost, done twice, or left running."""

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass
class Tally:
    """The outcome of a fault that was tried several times.

    Attributes:
        fault: in words.
        tries: how often.
        lost: results that were missing, wrong or unreadable without a word afterwards.
        duplicated: experiments that ran twice to their end, or are stored twice.
        orphans: processes that were left running.
    """

    fault: str
    tries: int = 0
    lost: int = 0
    duplicated: int = 0
    orphans: int = 0

    @property
    def sound(self) -> bool:
        return self.tries > 0 and not (self.lost or self.duplicated or self.orphans)


def table(tallies: Iterable[Tally]) -> str:
    """Return the tallies as the rows of a table."""
    names = [field.name for field in fields(Tally)]
    rows = [names, *([str(getattr(tally, name)) for name in names] for tally in tallies)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(_aligned, range(len(row)), row, widths)) for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _aligned(column: int, cell: str, width: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)
