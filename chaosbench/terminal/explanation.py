"""Output of `chaosbench explain`: every experiment with one line per seed, or one experiment in paragraphs."""

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

_WIDTH = 100  # columns; longer lines are hard to read
_SHORTEST_PREFIX = 12  # smallest number of letters of a folder's name in a message, so that readers recognise it
_LISTED = 6  # experiments listed in a message
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def rows(results: Path, name: str, seed: int | None) -> list[dict[str, Any]]:
    """Return the numbers behind the explanations, one row per experiment.

    Args:
        results: the results directory.
        name: words of an experiment's labels or the start of its folder's name; "": all experiments.
        seed: restricts each row to this seed; None: all seeds.

    Raises:
        UnknownNameError: if no experiment matches.
    """
    content = [figures(stored) for stored in _select(results, name, seed)]
    if seed is None:
        return content
    return [{**row, "seeds": [entry for entry in row["seeds"] if entry["seed"] == seed]} for row in content]


def show(results: Path, name: str, seed: int | None) -> None:
    """Print the explanation of the experiment that matches, or a line per seed of all of them if `name` is empty.

    Args:
        results: the results directory.
        name: words of an experiment's labels or the start of its folder's name.
        seed: the seed to explain; None: the median seed.

    Raises:
        UnknownNameError: if no experiment matches, or several do.
    """
    experiments = _select(results, name, seed)
    console = Console(highlight=False)
    width = min(console.width, _WIDTH)
    if len(experiments) == 1:
        _show_paragraphs(explain(experiments[0], seed), experiments[0].folder, console, width)
    elif not name:
        _show_lines(experiments, seed, console, width)
    else:
        raise _ambiguous(results, name, experiments)


def _show_lines(experiments: Sequence[Stored], seed: int | None, console: Console, width: int) -> None:
    for stored, heading in zip(experiments, _short_titles(experiments), strict=True):
        _print(console, heading, width, bold=True)
        for result in seed_results(stored):
            if seed is None or result.seed == seed:
                _print(console, f"seed {result.seed}: {brief(result)}", width, indent="  ", hang="  ")
    _print(console, "details: chaosbench explain RESULTS RUN, where RUN is one or more words of a title above", width)


def _show_paragraphs(explanation: Explanation, folder: Path, console: Console, width: int) -> None:
    _print(console, explanation.title, width, bold=True)
    for heading, text in explanation.paragraphs:
        _print(console, heading, width, bold=True)
        _print(console, text, width, indent="  ")
    if explanation.others:
        _print(console, "other seeds", width, bold=True)
        for line in explanation.others:
            _print(console, line, width, indent="  ", hang="  ")
    pictures = sorted(path.name for path in folder.glob("*.png"))
    if pictures:
        console.print(Text(f"pictures in {folder}: {', '.join(pictures)}"), soft_wrap=True)


def _print(console: Console, text: str, width: int, *, indent: str = "", hang: str = "", bold: bool = False) -> None:
    """Print wrapped text; a number and its unit stay on one line."""
    unbroken = text.replace(RATE, RATE.replace(" ", _NO_BREAK_SPACE))
    unbroken = unbroken.replace(" %", f"{_NO_BREAK_SPACE}%").replace(" ± ", f"{_NO_BREAK_SPACE}±{_NO_BREAK_SPACE}")
    lines = textwrap.wrap(
        unbroken, width, initial_indent=indent, subsequent_indent=indent + hang, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    console.print(Text("\n".join(lines).replace(_NO_BREAK_SPACE, " "), "bold" if bold else ""), soft_wrap=True)


def _select(results: Path, name: str, seed: int | None) -> list[Stored]:
    """Return the experiments that match `name` and ran the seed."""
    experiments = read_all(results)
    if name:
        experiments = _with_prefix(experiments, name) or _with_words(results, experiments, name)
    if seed is None:
        return experiments
    with_seed = [stored for stored in experiments if any(run["seed"] == seed for run in stored.runs)]
    if not with_seed:
        seeds = sorted({run["seed"] for stored in experiments for run in stored.runs})
        where = _title(experiments[0]) if len(experiments) == 1 else str(results)
        raise UnknownNameError(f"{where} has no seed {seed}; seeds: {', '.join(map(str, seeds))}")
    return with_seed


def _with_prefix(experiments: Sequence[Stored], name: str) -> list[Stored]:
    """Return the experiment whose folder has this name, else those whose folder's name starts with it."""
    exact = [stored for stored in experiments if stored.folder.name == name]
    return exact or [stored for stored in experiments if stored.folder.name.startswith(name)]


def _with_words(results: Path, experiments: Sequence[Stored], name: str) -> list[Stored]:
    """Return the experiments whose title contains all words.

    A word that equals a kind ("rnn") selects that kind only, not others that contain it ("plrnn").
    """
    words = name.lower().split()
    for word in words:
        if not any(word in _title(stored).lower() for stored in experiments):
            kinds = {kind for stored in experiments for kind in _kinds(stored)}
            raise unknown_name("experiment", word, kinds, place=str(results))
    matching = [stored for stored in experiments if all(word in _title(stored).lower() for word in words)]
    if not words or not matching:
        existing = "; ".join(_first(_short_titles(experiments)))
        raise UnknownNameError(
            f"{results!s}: no experiment matches all words of {name!r}; existing experiments: {existing}"
        )
    exact = [sum(word in _kinds(stored) for word in words) for stored in matching]
    return [stored for stored, count in zip(matching, exact, strict=True) if count == max(exact)]


def _ambiguous(results: Path, name: str, experiments: Sequence[Stored]) -> UnknownNameError:
    names = [folder.name for folder in folders(results)]
    candidates = [
        f"{_unique_prefix(stored.folder.name, names)} ({short})"
        for stored, short in zip(experiments, _short_titles(experiments), strict=True)
    ]
    return UnknownNameError(
        f"{name!r} matches {len(experiments)} experiments; add a word, or give the start of a folder's name: "
        f"{'; '.join(_first(candidates))}"
    )


def _unique_prefix(name: str, names: Sequence[str]) -> str:
    """Return the shortest recognisable prefix of a folder's name that no other name has."""
    lengths = range(min(_SHORTEST_PREFIX, len(name)), len(name))
    return next((name[:n] for n in lengths if sum(other.startswith(name[:n]) for other in names) == 1), name)


def _first(entries: Sequence[str]) -> list[str]:
    """Return the first entries, and how many more there are."""
    return [*entries[:_LISTED], *([f"{len(entries) - _LISTED} more"] if len(entries) > _LISTED else [])]


def _short_titles(experiments: Sequence[Stored]) -> list[str]:
    return titles([stored.runs[0] for stored in experiments])


def _title(stored: Stored) -> str:
    return title(stored.runs[0])


def _kinds(stored: Stored) -> list[str]:
    return [str(stored.experiment[noun]["kind"]) for noun in ("trainer", "model", "system")]
