"""What a campaign shows while it runs: live on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from chaosbench.formats import duration, number

EVERY = 10.0  # [s] between two plain lines of one experiment


class Display(Protocol):
    """What the runner tells; a context manager."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""

    def started(self, name: str) -> None:
        """An experiment begins."""

    def advanced(self, name: str, update: int, updates: int, loss: float | None) -> None:
        """It has done `update` of `updates`; the loss is the median over seeds."""

    def finished(self, name: str, status_counts: Mapping[str, int], seconds: float) -> None:
        """It ended, with so many seeds of each status."""

    def note(self, text: str) -> None:
        """Something the user should know."""


def progress(total: int, console: Console, *, clock: Callable[[], float] = time.monotonic) -> Display:
    """A display for `total` experiments: `with progress(total, console) as show: show.started(name)`."""
    return _Live(total, console) if console.is_terminal else _Plain(total, console, clock)


class _Plain:
    """Lines for a file or a pipe, each flushed, so that a log can be followed."""

    def __init__(self, total: int, console: Console, clock: Callable[[], float]) -> None:
        self._total, self._console, self._clock = total, console, clock
        self._begun = self._done = 0
        self._since: dict[str, tuple[float, int]] = {}  # time and update of the first report
        self._said: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def started(self, name: str) -> None:
        self._begun += 1
        self._said[name] = self._clock()
        self.note(f"[{self._begun}/{self._total}] start: {name}")

    def advanced(self, name: str, update: int, updates: int, loss: float | None) -> None:
        now = self._clock()
        since, first = self._since.setdefault(name, (now, update))
        if now - self._said.setdefault(name, now) < EVERY:
            return
        self._said[name] = now
        speed = (update - first) / (now - since) if now > since else 0.0
        pace = f", {number(speed)} updates/s, {duration((updates - update) / speed)} left" if speed else ""
        self.note(f"{name}: {update}/{updates} updates{pace}, loss {number(loss)}")

    def finished(self, name: str, status_counts: Mapping[str, int], seconds: float) -> None:
        self._done += 1
        self._since.pop(name, None)
        self._said.pop(name, None)
        self.note(f"[{self._done}/{self._total}] done: {_outcome(name, status_counts, seconds)}")

    def note(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)
        self._console.file.flush()


class _Live:
    """Bars that move: one for the campaign, one for each running experiment; what ended scrolls up."""

    def __init__(self, total: int, console: Console) -> None:
        name = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self._all = Progress(
            TextColumn("experiments"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._running = Progress(
            TextColumn("{task.description}", table_column=name, markup=False),
            BarColumn(10),
            _State(table_column=Column(no_wrap=True)),
            console=console,
            expand=True,
        )
        self._live = Live(Group(self._all, self._running), console=console, refresh_per_second=4, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._total = self._all.add_task("", total=total)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def started(self, name: str) -> None:
        self._tasks[name] = self._running.add_task(name, total=None, loss=None)

    def advanced(self, name: str, update: int, updates: int, loss: float | None) -> None:
        if name not in self._tasks:
            self.started(name)
        self._running.update(self._tasks[name], completed=update, total=updates, loss=loss)

    def finished(self, name: str, status_counts: Mapping[str, int], seconds: float) -> None:
        if name in self._tasks:
            self._running.remove_task(self._tasks.pop(name))
        self._all.advance(self._total)
        self.note(_outcome(name, status_counts, seconds))

    def note(self, text: str) -> None:
        self._live.console.print(Text(text))


class _State(ProgressColumn):
    """Updates, speed, loss and time left, in few columns."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("starting")
        speed = f"  {number(task.speed)}/s" if task.speed else ""
        left = "" if task.time_remaining is None else f"  {duration(task.time_remaining)} left"
        return Text(f"{task.completed:.0f}/{task.total:.0f}{speed}  loss {number(task.fields['loss'])}{left}")


def _outcome(name: str, status_counts: Mapping[str, int], seconds: float) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in status_counts.items() if count)
    return f"{name}: {counts or 'no seeds'} in {duration(seconds)}"
