"""What a person sees of `chaosbench explain`: all experiments in a line for each seed, or one at length."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from chaosbench.errors import StoreError, UnknownNameError, unknown_name
from chaosbench.leaderboard.folder import Stored, read
from chaosbench.leaderboard.store import folders
from chaosbench.report.explain import Explanation, brief, explain, figures
from chaosbench.report.findings import findings
from chaosbench.report.labels import shortened

_WIDTH = 100  # columns that sentences are read well in


def rows(results: Path, name: str | None) -> list[dict[str, Any]]:
    """The numbers behind the words, a row for each experiment that is meant."""
    return [figures(stored) for stored in _meant(results, name)]


def show(results: Path, name: str | None, seed: int | None) -> None:
    """Explain the one experiment that is meant, or all of them briefly."""
    found = _meant(results, name)
    console = Console(highlight=False)
    width = min(console.width, _WIDTH)
    if name is None and len(found) > 1:
        _show_briefly(found, console, width)
        return
    if len(found) > 1:
        lines = "; ".join(f"{one.folder.name[:12]} ({_label(one)})" for one in found)
        raise UnknownNameError(f"{name!r} may mean {len(found)} experiments; add a word, or name one's folder: {lines}")
    _show_whole(explain(found[0], _seed(found[0], seed)), found[0].folder, console, width)


def _show_briefly(found: list[Stored], console: Console, width: int) -> None:
    runs = [stored.runs[0] for stored in found]
    short = {noun: shortened(run[noun] for run in runs) for noun in ("trainer", "model", "system")}
    for stored, run in zip(found, runs, strict=True):
        names = {noun: short[noun][run[noun]] for noun in short}
        console.print(Text("{trainer} on {model}, {system}".format(**names), "bold"), width=width)
        for one in findings(stored):
            console.print(Padding(Text(f"seed {one.seed}: {brief(one)}"), (0, 0, 0, 2)), width=width)
    console.print(Text("at length: chaosbench explain RESULTS RUN, where RUN is words of these names"), width=width)


def _show_whole(told: Explanation, folder: Path, console: Console, width: int) -> None:
    console.print(Text(told.title, "bold"), width=width)
    for heading, text in told.paragraphs:
        console.print(Text(heading, "bold"), width=width)
        console.print(Padding(Text(text), (0, 0, 0, 2)), width=width)
    if told.others:
        console.print(Text("other seeds", "bold"), width=width)
        for line in told.others:
            console.print(Padding(Text(line), (0, 0, 0, 2)), width=width)
    pictures = sorted(path.name for path in folder.glob("*.png"))
    if pictures:
        console.print(Text(f"pictures in {folder}: {', '.join(pictures)}"), soft_wrap=True)


def _meant(results: Path, name: str | None) -> list[Stored]:
    """The experiments whose folder begins so, or whose labels have all these words."""
    every = [read(folder) for folder in folders(results)]
    if not every:
        raise StoreError(f"{str(results)!r} holds no finished experiment; run a suite into it first")
    if name is None:
        return every
    begun = [stored for stored in every if stored.folder.name.startswith(name)]
    words = name.lower().split()
    found = begun or [stored for stored in every if all(word in _label(stored).lower() for word in words)]
    if not found:
        known = {kind for stored in every for kind in _kinds(stored)}
        raise unknown_name("experiment", name, known, place=str(results))
    exact = [stored for stored in found if all(word in _kinds(stored) for word in words)]
    return exact or found


def _seed(stored: Stored, seed: int | None) -> int | None:
    known = [run["seed"] for run in stored.runs]
    if seed is not None and seed not in known:
        raise UnknownNameError(f"there is no seed {seed} of {_label(stored)}; known: {', '.join(map(str, known))}")
    return seed


def _label(stored: Stored) -> str:
    run = stored.runs[0]
    return f"{run['trainer']} on {run['model']}, {run['system']}"


def _kinds(stored: Stored) -> list[str]:
    return [str(stored.experiment[noun]["kind"]) for noun in ("trainer", "model", "system")]
