"""Output of `chaosbench explain`: every experiment with one line per seed, or one experiment in paragraphs."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from chaosbench.explain.explanation import Explanation, brief, explain, figures
from chaosbench.explain.quantities import RATE
from chaosbench.explain.seed_result import seed_results
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.selection import ambiguous, select, short_titles

_WIDTH = 100  # columns; longer lines are hard to read
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
    content = [figures(stored) for stored in select(results, name, seed)]
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
    experiments = select(results, name, seed)
    console = Console(highlight=False)
    width = min(console.width, _WIDTH)
    if len(experiments) == 1:
        _show_paragraphs(explain(experiments[0], seed), experiments[0].folder, console, width)
    elif not name:
        _show_lines(experiments, seed, console, width)
    else:
        raise ambiguous(results, name, experiments)


def _show_lines(experiments: Sequence[Stored], seed: int | None, console: Console, width: int) -> None:
    for stored, heading in zip(experiments, short_titles(experiments), strict=True):
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
