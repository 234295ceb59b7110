"""What a person sees of `chaosbench explain`: all experiments in a line for each seed, or one at length."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from chaosbench.errors import UnknownNameError, unknown_name
from chaosbench.explain.explanation import Explanation, brief, explain, figures
from chaosbench.explain.quantities import RATE
from chaosbench.explain.seed_result import seed_results
from chaosbench.labels import title, titles
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.store import folders, read_all

_WIDTH = 100  # columns that sentences are read well in
_RECOGNISED, _LISTED = 12, 6  # letters of a folder's name, and experiments named, in a message
_HARD = "\N{NO-BREAK SPACE}"


def rows(results: Path, name: str, seed: int | None) -> list[dict[str, Any]]:
    """The numbers behind the words, a row for each experiment that is meant; "": all, of every seed."""
    found = [figures(stored) for stored in _meant(results, name, seed)]
    if seed is None:
        return found
    return [{**row, "seeds": [one for one in row["seeds"] if one["seed"] == seed]} for row in found]


def show(results: Path, name: str, seed: int | None) -> None:
    """Explain the one experiment that is meant, or all of them briefly where no name is given."""
    found = _meant(results, name, seed)
    console = Console(highlight=False)
    width = min(console.width, _WIDTH)
    if len(found) == 1:
        _show_whole(explain(found[0], seed), found[0].folder, console, width)
    elif not name:
        _show_briefly(found, seed, console, width)
    else:
        raise _ambiguous(results, name, found)


def _show_briefly(found: Sequence[Stored], seed: int | None, console: Console, width: int) -> None:
    for stored, name in zip(found, _short(found), strict=True):
        _print(console, name, width, bold=True)
        for one in seed_results(stored):
            if seed is None or one.seed == seed:
                _print(console, f"seed {one.seed}: {brief(one)}", width, indent="  ", hang="  ")
    _print(console, "at length: chaosbench explain RESULTS RUN, where RUN is words of these names", width)


def _show_whole(told: Explanation, folder: Path, console: Console, width: int) -> None:
    _print(console, told.title, width, bold=True)
    for heading, text in told.paragraphs:
        _print(console, heading, width, bold=True)
        _print(console, text, width, indent="  ")
    if told.others:
        _print(console, "other seeds", width, bold=True)
        for line in told.others:
            _print(console, line, width, indent="  ", hang="  ")
    pictures = sorted(path.name for path in folder.glob("*.png"))
    if pictures:
        console.print(Text(f"pictures in {folder}: {', '.join(pictures)}"), soft_wrap=True)


def _print(console: Console, text: str, width: int, *, indent: str = "", hang: str = "", bold: bool = False) -> None:
    """Wrapped, where numbers keep their units beside them."""
    kept = text.replace(RATE, RATE.replace(" ", _HARD)).replace(" %", f"{_HARD}%").replace(" ± ", f"{_HARD}±{_HARD}")
    lines = textwrap.wrap(
        kept, width, initial_indent=indent, subsequent_indent=indent + hang, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    console.print(Text("\n".join(lines).replace(_HARD, " "), "bold" if bold else ""), soft_wrap=True)


def _meant(results: Path, name: str, seed: int | None) -> list[Stored]:
    """The experiments whose folder begins so, or whose labels have all these words; of those that ran the seed."""
    found = read_all(results)
    if name:
        found = _begun(found, name) or _worded(results, found, name)
    if seed is None:
        return found
    ran = [stored for stored in found if any(run["seed"] == seed for run in stored.runs)]
    if not ran:
        known = sorted({run["seed"] for stored in found for run in stored.runs})
        where = _label(found[0]) if len(found) == 1 else str(results)
        raise UnknownNameError(f"there is no seed {seed} of {where}; known: {', '.join(map(str, known))}")
    return ran


def _begun(every: Sequence[Stored], name: str) -> list[Stored]:
    """A folder's whole name means it alone."""
    whole = [stored for stored in every if stored.folder.name == name]
    return whole or [stored for stored in every if stored.folder.name.startswith(name)]


def _worded(results: Path, every: Sequence[Stored], name: str) -> list[Stored]:
    """Words are parts of labels; one that is a kind's whole name means no kind that merely has it in its name."""
    words = name.lower().split()
    for word in words:
        if not any(word in _label(stored).lower() for stored in every):
            kinds = {kind for stored in every for kind in _kinds(stored)}
            raise unknown_name("experiment", word, kinds, place=str(results))
    found = [stored for stored in every if all(word in _label(stored).lower() for word in words)]
    if not words or not found:
        names = "; ".join(_listed(_short(every)))
        raise UnknownNameError(f"{results!s}: no experiment has all words of {name!r}. Known: {names}")
    whole = [sum(word in _kinds(stored) for word in words) for stored in found]
    return [stored for stored, count in zip(found, whole, strict=True) if count == max(whole)]


def _ambiguous(results: Path, name: str, found: Sequence[Stored]) -> UnknownNameError:
    every = [folder.name for folder in folders(results)]
    candidates = [
        f"{_beginning(stored.folder.name, every)} ({label})" for stored, label in zip(found, _short(found), strict=True)
    ]
    return UnknownNameError(
        f"{name!r} may mean {len(found)} experiments; add a word, or give the beginning of a folder's name: "
        f"{'; '.join(_listed(candidates))}"
    )


def _beginning(name: str, every: Sequence[str]) -> str:
    """As much of a folder's name as tells it from every other, and no less than can be recognised."""
    lengths = range(min(_RECOGNISED, len(name)), len(name))
    return next((name[:n] for n in lengths if sum(one.startswith(name[:n]) for one in every) == 1), name)


def _listed(names: Sequence[str]) -> list[str]:
    return [*names[:_LISTED], *([f"{len(names) - _LISTED} more"] if len(names) > _LISTED else [])]


def _short(found: Sequence[Stored]) -> list[str]:
    return titles([stored.runs[0] for stored in found])


def _label(stored: Stored) -> str:
    return title(stored.runs[0])


def _kinds(stored: Stored) -> list[str]:
    return [str(stored.experiment[noun]["kind"]) for noun in ("trainer", "model", "system")]
