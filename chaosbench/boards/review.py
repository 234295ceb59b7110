"""The review of proposed boards beside the present ones, in Markdown: findings, and the ranks of new submissions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaosbench.boards import lock
from chaosbench.boards.changes import Changes, Placed, changes
from chaosbench.boards.check import changed, check
from chaosbench.boards.findings import Finding
from chaosbench.errors import ChaosbenchError
from chaosbench.formats import counted
from chaosbench.labels import shortened
from chaosbench.leaderboard import legend
from chaosbench.leaderboard.folder import sha256
from chaosbench.leaderboard.layouts import Printed, markdown_escaped, to_markdown
from chaosbench.leaderboard.printed import open_ranks, whole_percent

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LONGEST = 60_000  # [characters] of a text; comments on GitHub have 65,536 at most
_MOST = 20  # findings, and methods, that are listed of a board


@dataclass(frozen=True)
class Review:
    """The review of a board.

    Attributes:
        board: its name.
        new: whether it has no earlier state.
        findings: everything that is wrong.
        changes: None where the board cannot be read.
    """

    board: str
    new: bool
    findings: tuple[Finding, ...]
    changes: Changes | None


def review(earlier: Path, later: Path) -> list[Review]:
    """Return the review of every board that differs between two folders of boards; nothing in them is executed.

    Args:
        earlier, later: folders such as `leaderboards`; the later one may be a stranger's.
    """
    names = sorted({path.parent.name for folder in (earlier, later) for path in folder.glob(f"*/{lock.FILE}")})
    differing = [name for name in names if _files(earlier / name) != _files(later / name)]
    return [_review(name, earlier / name, later / name) for name in differing]


def to_text(reviews: Sequence[Review]) -> str:
    """Return reviews in Markdown, in which every name is shown as text."""
    text = "\n".join(part for one in reviews for part in _sections(one)) if reviews else "No board has changed.\n"
    if len(text) <= _LONGEST:
        return text
    whole_lines = text[:_LONGEST].rpartition("\n")[0]
    return f"{whole_lines}\n\nThe rest is left out.\n"


def changes_text(found: Changes) -> str:
    """Return what changed on a board in Markdown."""
    lines = ["The demands differ.", ""] if found.demands else []
    lines += [f"* {markdown_escaped(name)}: {before} → {after}" for name, before, after in found.levels[:_MOST]]
    if len(found.levels) > _MOST:
        lines.append(f"* and {len(found.levels) - _MOST} more")
    return "\n".join([*lines, "", _placed_text(found)] if found.placed else [*lines, ""])


def _review(name: str, earlier: Path, later: Path) -> Review:
    new = not (earlier / lock.FILE).is_file()
    if not _NAME.fullmatch(name):
        what = f"the folder {name!r} cannot name a board; use small letters, digits, dots, hyphens, underscores"
        return Review(name, new, (Finding("name", what),), None)
    if not (later / lock.FILE).is_file():
        return Review(name, new, (Finding("board", "it is gone"),), None)
    findings = [*check(later), *([] if new else changed(later, earlier))]
    try:
        found = changes(None if new else earlier, later)
    except (ChaosbenchError, OSError) as error:
        if not findings:
            findings.append(Finding("files", str(error)))
        return Review(name, new, tuple(findings), None)
    return Review(name, new, tuple(findings), found)


def _sections(one: Review) -> list[str]:
    parts = [f"## {markdown_escaped(one.board)}", ""]
    if one.new:
        parts += ["A new board, about which those who keep the boards decide.", ""]
    if one.findings:
        listed = [f"* [{own.check}] {markdown_escaped(own.what[:500])}" for own in one.findings[:_MOST]]
        parts += ["**Not valid:**", "", *listed]
        parts += [*([f"* and {len(one.findings) - _MOST} more"] if len(one.findings) > _MOST else []), ""]
    else:
        parts += ["**Valid.**", ""]
    return [*parts, changes_text(one.changes)] if one.changes is not None else parts


def _placed_text(found: Changes) -> str:
    """Return the places of the methods of new submissions as a table."""
    everyone = [*found.methods, *((one.model, one.trainer) for one in found.placed)]
    names = {**shortened(model for model, _ in everyone), **shortened(trainer for _, trainer in everyone)}
    body = [
        [
            *_ranks(one),
            _cut(names[one.model]),
            _cut(names[one.trainer]),
            *_neighbours(one, names),
            "yes" if one.known else "no",
            one.submission,
        ]
        for one in found.placed[:_MOST]
    ]
    left = len(found.placed) - _MOST
    more = [f"{counted(left, 'more method')} {'is' if left == 1 else 'are'} left out."] if left > 0 else []
    title, count = "Methods of new submissions", len(found.methods)
    table = Printed(
        title=f"{title}, among {count} that are ranked over systems" if count else title,
        header=["ranks on these systems", "on systems like these", "wins [%]", "model", "trainer", "next above",
                "next below", "on the board before", "submission"],
        body=body,
        words=frozenset(range(3, 9)),
        caption=" ".join((*more, *((legend.WINS, legend.RANKS) if count else ()))),
    )  # fmt: skip
    return to_markdown([table])


def _ranks(one: Placed) -> list[str]:
    """Return the cells of ranks and wins: of the ranking over systems, or of each system, or the reason for none."""
    if one.standing is not None:
        own = one.standing
        return [open_ranks(own.on_these), open_ranks(own.on_others), whole_percent(own.wins)]
    alone = "; ".join(f"{rank} of {count} on {system}" for system, rank, count in one.alone)
    return [_cut(alone or f"none: {one.why}"), "-", "-"]


def _neighbours(one: Placed, names: Mapping[str, str]) -> list[str]:
    if one.standing is None:
        return ["-", "-"]
    pairs = ((one.above, "none, it is the first"), (one.below, "none, it is the last"))
    return [_cut(none if own is None else f"{names[own[1]]} on {names[own[0]]}") for own, none in pairs]


def _cut(text: str) -> str:
    """Return at most 150 characters of a name, so that nobody fills a comment."""
    return text if len(text) <= 150 else f"{text[:149]}…"


def _files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a folder by its path in it; links have none, and are not followed."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_symlink() or path.is_file():
            found[path.relative_to(folder).as_posix()] = "" if path.is_symlink() else sha256(path)
    return found
