"""The index of several boards as one self-contained HTML file without programs: dates, systems, methods, links."""

import os
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from chaosbench.boards import lock, publish
from chaosbench.errors import ChaosbenchError, StoreError, printable
from chaosbench.files import read_bounded, write_whole
from chaosbench.formats import counted
from chaosbench.labels import shortened
from chaosbench.leaderboard.overall import overall
from chaosbench.page.page import policy_of, shipped_text, state_of

_FILES = ("board.html", "board.parquet", "board.csv", "suite.toml")  # what the index links to where it exists
_MOST = 5  # methods of the first tier that are named
_LONGEST = 600  # [characters] of a text that a board brings


@dataclass(frozen=True)
class Summary:
    """The line of a board in the index.

    Attributes:
        name: of its folder.
        state: time of its last change; empty where the board cannot be read.
        suite, about: name and description of the suite.
        systems, submissions: titles and folders, with their levels.
        methods, runs: their numbers.
        first: the methods of the first tier.
        why: the reason why it cannot be read; empty: it can.
    """

    name: str
    state: str = ""
    suite: str = ""
    about: str = ""
    systems: tuple[str, ...] = ()
    submissions: tuple[tuple[str, str], ...] = ()
    methods: int = 0
    runs: int = 0
    first: tuple[str, ...] = ()
    why: str = ""


def is_site(folder: Path) -> bool:
    """Return True for a folder that is no board and holds boards."""
    return not (folder / lock.FILE).exists() and next(folder.glob(f"*/{lock.FILE}"), None) is not None


def write_site(folder: Path, output: Path) -> Path:
    """Write the index of all boards in a folder; a board that cannot be read is listed with the reason.

    Args:
        folder: such as `leaderboards`.
        output: the HTML file; links are relative to it.

    Raises:
        StoreError: where the folder holds no board, or the file cannot be written.
    """
    found = sorted(path.parent for path in folder.glob(f"*/{lock.FILE}"))
    if not found:
        raise StoreError(f"{str(folder)!r} holds no boards; make one with `chaosbench leaderboard new`")
    text = _html([(summary(board), _links(board, output)) for board in found])
    try:
        return write_whole(output, lambda path: path.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise StoreError(f"cannot write {str(output)!r}: {error.strerror or error}") from error


def summary(board: Path) -> Summary:
    """Return the line of a board."""
    try:
        demands, read = lock.read(board), publish.all_of(board)
        publish.check_log(board, read)
        levels = publish.levels(board, read)
        ranking = overall(publish.ranked(read, levels))
        state, about = state_of(board), _about(board)
    except (ChaosbenchError, OSError) as error:
        return Summary(board.name, why=printable(str(error))[:_LONGEST])
    methods = {(run["model"], run["trainer"]) for one in read for each in one.experiments for run in each.runs}
    first = [] if ranking is None else [one for one in ranking.standings if one.tier == 1]
    models, trainers = (shortened(name) for name in zip(*methods, strict=True)) if methods else ({}, {})
    return Summary(
        name=board.name,
        state=state,
        suite=demands.suite,
        about=about,
        systems=tuple(one.system if one.data == "data" else f"{one.system}, {one.data}" for one in demands.boards),
        submissions=tuple((one.folder.name, levels[one.folder.name]) for one in read),
        methods=len(methods),
        runs=sum(len(each.runs) for one in read for each in one.experiments),
        first=tuple(f"{trainers[one.trainer]} on {models[one.model]}" for one in first),
    )


def _about(board: Path) -> str:
    """Return the description of the suite; empty where there is none."""
    try:
        text = tomllib.loads(read_bounded(board / "suite.toml")).get("description", "")
    except (ChaosbenchError, OSError, ValueError, RecursionError):
        return ""
    return printable(text)[:_LONGEST] if isinstance(text, str) else ""


def _links(board: Path, output: Path) -> list[tuple[str, str]]:
    """Return name and address of the files of a board, relative to the index."""
    target = os.path.relpath(board.resolve(), output.resolve().parent)
    place = quote(Path(target).as_posix())
    return [(name, f"{place}/{name}") for name in _FILES if (board / name).is_file()]


def _html(boards: Sequence[tuple[Summary, list[tuple[str, str]]]]) -> str:
    style = shipped_text("board.css")
    title = f"{counted(len(boards), 'leaderboard')} of chaosbench"
    sections = "\n".join(_section(number, one, links) for number, (one, links) in enumerate(boards))
    rows = "\n".join(_row(number, one) for number, (one, _) in enumerate(boards))
    heads = "".join(
        f'<th scope="col">{name}</th>' for name in ("board", "state of", "systems", "methods", "submissions", "runs")
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy_of(style=style)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#boards">Skip to the boards</a>\n<header><h1>{escape(title)}</h1></header>\n<main>\n'
        f'<div class="wide" tabindex="0" role="region" aria-label="Boards"><table id="boards">\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>\n{sections}\n</main>\n</body>\n</html>\n"
    )


def _row(number: int, one: Summary) -> str:
    counts = (len(one.systems), one.methods, len(one.submissions), one.runs)
    cells = "".join(f'<td class="number">{count}</td>' for count in counts)
    return (
        f'<tr><td><a href="#board-{number}">{escape(one.name)}</a></td><td>{escape(one.state or "-")}</td>{cells}</tr>'
    )


def _section(number: int, one: Summary, links: Iterable[tuple[str, str]]) -> str:
    listed = " · ".join(f'<a href="{escape(address)}">{escape(name)}</a>' for name, address in links)
    parts = [f'<section aria-labelledby="board-{number}">', f'<h2 id="board-{number}">{escape(one.name)}</h2>']
    if one.why:
        return "\n".join([*parts, f'<p role="alert">It cannot be read: {escape(one.why)}</p>', "</section>"])
    first = ", ".join(one.first[:_MOST]) + (f" and {len(one.first) - _MOST} more" if len(one.first) > _MOST else "")
    levels = "; ".join(f"{name} ({level})" for name, level in one.submissions)
    texts = (
        ("", one.about),
        ("Files: ", ""),
        ("First tier, which cannot be told apart: ", first),
        ("Systems: ", "; ".join(one.systems)),
        ("Submissions: ", levels or "none so far"),
    )
    for name, text in texts:
        if name == "Files: ":
            parts += [f"<p>{name}{listed}</p>"] if listed else []
        elif text:
            parts.append(f"<p>{name}{escape(text)}</p>")
    return "\n".join([*parts, "</section>"])
