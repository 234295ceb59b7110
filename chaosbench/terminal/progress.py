"""The progress of a campaign: a live display on a terminal, plain lines in a file or a pipe."""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars
from rich.progress_bar import ProgressBar
from rich.table import Column
from rich.text import Text
from typing_extensions import override

from chaosbench.formats import duration, number
from chaosbench.run import Progress

EVERY = 10.0  # [s] between two plain lines about the training of one experiment

_PHASES = {
    "data": "preparing the data",
    "search": "searching",
    "training": "training",
    "diagnosis": "measuring exponents and gradients",
    "forecasts": "computing forecasts and free runs",
    "scores": "computing scores",
}
_DRAWING = "drawing pictures"


def _doing(progress: Progress) -> str:
    """Return what an experiment does, with the number of the trial of a search."""
    count = f", trial {progress.update} of {progress.updates}" if progress.phase == "search" else ""
    return f"{_PHASES[progress.phase]}{count}"


class Display(Protocol):
    """Shows the progress of experiments, each under its title; a context manager."""

    def __enter__(self) -> Self:
        """Start the display."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the display and restore the terminal."""

    def started(self, name: str, lead: str | None = None) -> None:
        """Show that an experiment has started, as one batch with the experiment `lead` if that is given."""

    def restarted(self, name: str) -> None:
        """Show that an experiment has started again, alone."""

    def advanced(self, name: str, progress: Progress) -> None:
        """Show that an experiment has entered another phase or has trained further."""

    def drawing(self, name: str) -> None:
        """Show that the pictures of an experiment are being drawn."""

    def finished(self, name: str, status_counts: Mapping[str, int], seconds: float) -> None:
        """Show that an experiment has ended, with the number of seeds per status."""

    def note(self, text: str) -> None:
        """Print a message."""


def progress(total: int, console: Console, *, clock: Callable[[], float] = time.monotonic) -> Display:
    """Return a display for `total` experiments: `with progress(total, console) as display: ...`."""
    return _Live(total, console) if console.is_terminal else _Plain(total, console, clock)


class _Plain:
    """Prints lines and flushes each of them, so that a log can be followed."""

    def __init__(self, total: int, console: Console, clock: Callable[[], float]) -> None:
        self._total, self._console, self._clock = total, console, clock
        self._begun = self._done = 0
        self._first: dict[str, tuple[float, int]] = {}  # time [s] and update of the first training report
        self._printed: dict[str, float] = {}  # time [s] of the last line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def started(self, name: str, lead: str | None = None) -> None:
        self._begun += 1
        batch = f", in one batch with {lead}" if lead else ""
        self._print(name, f"[{self._begun}/{self._total}] start: {name}{batch}")

    def restarted(self, name: str) -> None:
        self._first.pop(name, None)
        self._print(name, f"start again, alone: {name}")

    def advanced(self, name: str, progress: Progress) -> None:
        if progress.phase == "training":
            self._trained(name, progress)
        else:
            self._print(name, f"{name}: {_doing(progress)}")

    def drawing(self, name: str) -> None:
        self._print(name, f"{name}: {_DRAWING}")

    def finished(self, name: str, status_counts: Mapping[str, int], seconds: float) -> None:
        self._done += 1
        self._first.pop(name, None)
        self._printed.pop(name, None)
        self.note(f"[{self._done}/{self._total}] done: {_outcome(name, status_counts, seconds)}")

    def note(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)
        self._console.file.flush()

    def _print(self, name: str, text: str) -> None:
        self._printed[name] = self._clock()
        self.note(text)

    def _trained(self, name: str, progress: Progress) -> None:
        now = self._clock()
        since, first = self._first.setdefault(name, (now, progress.update))
        if now - self._printed.setdefault(name, now) < EVERY:
            return
        speed = (progress.update - first) / (now - since) if now > since else 0.0
        seconds = (progress.updates - progress.update) / speed if speed else 0.0
        pace = f", {number(speed)} updates/s, {duration(seconds)} left" if seconds else ""
        self._printed[name] = now
        self.note(f"{name}: {progress.update}/{progress.updates} updates{pace}, loss {number(progress.loss)}")


class _Live:
    """Shows one bar for the campaign and one for each running experiment; finished ones scroll up."""

    def __init__(self, total: int, console: Console) -> None:
        name = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self._all = Bars(
            TextColumn("experiments"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._running = Bars(
            TextColumn("{task.description}", table_column=name, markup=False),
            _Bar(),
            _State(table_column=Column(no_wrap=True)),
            console=console,
            expand=True,
        )
        self._live = Live(Group(self._all, self._running), console=console, refresh_per_second=4, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._total = self._all.add_task("", total=total)
        # Shown until the first worker has loaded torch, which takes seconds.
        self._first: TaskID | None = self._running.add_task("", total=None, doing="starting worker processes")

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def started(self, name: str, lead: str | None = None) -> None:
        if self._first is not None:
            self._running.remove_task(self._first)
            self._first = None
        self._tasks[name] = self._running.add_task(
            name, total=None, loss=None, doing=f"in one batch with {lead}" if lead else "starting"
        )

    def restarted(self, name: str) -> None:
        self._update(name, completed=0, total=None, doing="starting again, alone")

    def advanced(self, name: str, progress: Progress) -> None:
        if progress.phase == "training":
            self._update(name, completed=progress.update, total=progress.updates, loss=progress.loss, doing="")
        else:
            self._update(name, doing=_doing(progress))

    def drawing(self, name: str) -> None:
        self._update(name, doing=_DRAWING)

    def finished(self, name: str, status_counts: Mapping[str, int], seconds: float) -> None:
        if name in self._tasks:
            self._running.remove_task(self._tasks.pop(name))
        self._all.advance(self._total)
        self.note(_outcome(name, status_counts, seconds))

    def note(self, text: str) -> None:
        self._live.console.print(Text(text))

    def _update(self, name: str, **fields: object) -> None:
        if name not in self._tasks:
            self.started(name)
        self._running.update(self._tasks[name], **fields)  # type: ignore[arg-type]  # rich declares a type for each field


class _Bar(ProgressColumn):
    """Fills up during training and pulses in every other phase."""

    @override
    def render(self, task: Task) -> RenderableType:
        pulse = bool(task.fields["doing"])
        return ProgressBar(total=task.total, completed=task.completed, width=10, pulse=pulse)


class _State(ProgressColumn):
    """Updates, speed, loss and time left during training; the phase otherwise."""

    @override
    def render(self, task: Task) -> Text:
        if task.fields["doing"]:
            return Text(task.fields["doing"])
        speed = f"  {number(task.speed)}/s" if task.speed else ""
        left = f"  {duration(task.time_remaining)} left" if task.time_remaining else ""
        return Text(f"{task.completed:.0f}/{task.total:.0f}{speed}  loss {number(task.fields['loss'])}{left}")


def _outcome(name: str, status_counts: Mapping[str, int], seconds: float) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in status_counts.items() if count)
    return f"{name}: {counts or 'no seeds'} in {duration(seconds)}"
