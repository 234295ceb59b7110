"""The progress of a campaign: a live display on a terminal, plain lines in a file or a pipe."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from chaosbench.formats import duration, number
from chaosbench.monitor.costs import Costs, Observation
from chaosbench.monitor.state import DRAWING, Planned, State
from chaosbench.progress import Progress
from chaosbench.terminal.dashboard import PHASES, render, summary

EVERY = 10.0  # [s] between two plain lines about the training of one experiment


def _doing(progress: Progress) -> str:
    """Return what an experiment does, with the number of the trial of a search."""
    count = f", trial {progress.update} of {progress.updates}" if progress.phase == "search" else ""
    return f"{PHASES[progress.phase]}{count}"


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

    def ended(self, name: str, status_counts: Mapping[str, int], observation: Observation | None) -> None:
        """Count an experiment as ended, with the number of seeds per status, and take its times into account."""

    def finished(self, name: str, status_counts: Mapping[str, int], seconds: float) -> None:
        """Show that an experiment is done, its pictures included."""

    def note(self, text: str) -> None:
        """Print a message."""


def progress(
    planned: Sequence[Planned],
    console: Console,
    *,
    workers: int = 1,
    costs: Costs | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Display:
    """Return a display for experiments: `with progress(planned, console) as display: ...`.

    It is redrawn in place on a terminal, and consists of lines elsewhere, and under Slurm, whose output is a file.

    Args:
        planned: the experiments, with different titles.
        console: where to draw.
        workers: number of processes at a time.
        costs: what is known about times; None: nothing.
        clock: returns the time [s].
    """
    state = State({one.title: one for one in planned}, workers=workers, costs=costs or Costs(), began=clock())
    live = console.is_terminal and not console.is_dumb_terminal and "SLURM_JOB_ID" not in os.environ
    return _Live(state, console, clock) if live else _Plain(state, console, clock)


class _Plain:
    """Prints lines and flushes each of them, so that a log can be followed."""

    def __init__(self, state: State, console: Console, clock: Callable[[], float]) -> None:
        self._state, self._console, self._clock = state, console, clock
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
        self._state.start(name, self._clock(), batch=lead)
        batch = f", in one batch with {lead}" if lead else ""
        self._print(name, f"[{self._begun}/{self._state.total}] start: {name}{batch}")

    def restarted(self, name: str) -> None:
        self._first.pop(name, None)
        self._state.start(name, self._clock())
        self._print(name, f"start again, alone: {name}")

    def advanced(self, name: str, progress: Progress) -> None:
        now = self._clock()
        self._state.advance(name, progress.phase, now, update=progress.update, updates=progress.updates)
        if progress.phase == "training" and progress.updates:
            self._trained(name, progress, now)
        else:
            self._print(name, f"{name}: {_doing(progress)}")

    def drawing(self, name: str) -> None:
        self._print(name, f"{name}: {PHASES[DRAWING]}")

    def ended(self, name: str, status_counts: Mapping[str, int], observation: Observation | None) -> None:
        self._state.end(name, status_counts, observation=observation)

    def finished(self, name: str, status_counts: Mapping[str, int], seconds: float) -> None:
        self._state.ended.setdefault(name, status_counts)
        self._done += 1
        self._first.pop(name, None)
        self._printed.pop(name, None)
        total = self._state.total
        self.note(f"[{self._done}/{total}] done: {_outcome(name, status_counts, seconds)}")
        if self._done < total:
            self.note(summary(self._state, self._clock()))

    def note(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)
        self._console.file.flush()

    def _print(self, name: str, text: str) -> None:
        self._printed[name] = self._clock()
        self.note(text)

    def _trained(self, name: str, progress: Progress, now: float) -> None:
        since, first = self._first.setdefault(name, (now, progress.update))
        if now - self._printed.setdefault(name, now) < EVERY:
            return
        speed = (progress.update - first) / (now - since) if now > since else 0.0
        seconds = (progress.updates - progress.update) / speed if speed else 0.0
        pace = f", {number(speed)} updates/s, {duration(seconds)} left" if seconds else ""
        self._printed[name] = now
        norm = "" if progress.gradient_norm is None else f", gradient norm {number(progress.gradient_norm)}"
        self.note(f"{name}: {progress.update}/{progress.updates} updates{pace}, loss {number(progress.loss)}{norm}")


class _Live:
    """Redraws the state of the campaign in place; ends of experiments and messages scroll up above it."""

    def __init__(self, state: State, console: Console, clock: Callable[[], float]) -> None:
        self._state, self._console, self._clock = state, console, clock
        self._lock = RLock()  # rich draws in a thread of its own
        self._live = Live(
            get_renderable=self._draw, console=console, refresh_per_second=4, transient=True, vertical_overflow="crop"
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def started(self, name: str, lead: str | None = None) -> None:
        with self._lock:
            self._state.start(name, self._clock(), batch=lead)

    def restarted(self, name: str) -> None:
        self.started(name)

    def advanced(self, name: str, progress: Progress) -> None:
        with self._lock:
            counts = {"update": progress.update, "updates": progress.updates}
            numbers = {"loss": progress.loss, "norm": progress.gradient_norm}
            self._state.advance(name, progress.phase, self._clock(), **counts, **numbers)  # type: ignore[arg-type]  # counts and numbers

    def drawing(self, name: str) -> None:
        with self._lock:
            self._state.drawing(name, self._clock())

    def ended(self, name: str, status_counts: Mapping[str, int], observation: Observation | None) -> None:
        with self._lock:
            self._state.end(name, status_counts, observation=observation)

    def finished(self, name: str, status_counts: Mapping[str, int], seconds: float) -> None:
        with self._lock:
            self._state.ended.setdefault(name, status_counts)
            self._state.drawn(name)
        self.note(_outcome(name, status_counts, seconds))

    def note(self, text: str) -> None:
        self._live.console.print(Text(text))

    def _draw(self) -> RenderableType:
        with self._lock:
            size, plain = self._console.size, not self._console.encoding.lower().startswith("utf")
            return render(self._state, width=size.width, height=size.height, now=self._clock(), plain=plain)


def _outcome(name: str, status_counts: Mapping[str, int], seconds: float) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in status_counts.items() if count)
    return f"{name}: {counts or 'no seeds'} in {duration(seconds)}"
