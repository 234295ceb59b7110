"""The contract of engines, which run groups of experiments somewhere, and the loop that gives them work."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Protocol

from chaosbench.execution.grouping import Group, alone
from chaosbench.execution.happenings import Event, Separated, Started
from chaosbench.experiment import Experiment


class Engine(Protocol):
    """Runs groups of experiments."""

    @property
    def free(self) -> int:
        """Number of groups that can start now."""

    @property
    def busy(self) -> bool:
        """True while anything runs."""

    @property
    def running(self) -> int:
        """Number of experiments that run and have no result yet."""

    def start(self, group: Group) -> None:
        """Start a group."""

    def events(self) -> Iterator[Event]:
        """Wait for a moment, and yield what has happened since the last call."""

    def close(self) -> None:
        """End everything that runs."""


class Work(Protocol):
    """The experiments that are left to run."""

    def __len__(self) -> int:
        """Return the number of experiments that are left."""

    def add(self, experiments: Sequence[Experiment]) -> None:
        """Add experiments, each to run alone."""

    def take(self) -> Generator[Event, None, Group]:
        """Return the next group to start; an empty one if there is none now."""


class InOrder:
    """Groups that nobody else runs, one after another.

    Args:
        groups: what to run, in this order.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self._waiting = deque(groups)

    def __len__(self) -> int:
        """Return the number of experiments that are left."""
        return sum(map(len, self._waiting))

    def add(self, experiments: Sequence[Experiment]) -> None:
        """Add experiments, each to run alone."""
        self._waiting.extend(alone(experiments))

    def take(self) -> Generator[Event, None, Group]:
        """Return the next group to start; an empty one if there is none."""
        yield from ()
        return self._waiting.popleft() if self._waiting else ()


def run_all(work: Work, engine: Engine, check: Callable[[], object] | None = None) -> Generator[Event, None, None]:
    """Run everything, and yield events as they occur; a batch that fails is run again, each experiment alone.

    Args:
        work: what to run.
        engine: where.
        check: is called several times a second, and may raise; None: nothing is.
    """
    while work or engine.busy:
        if check is not None:
            check()
        while engine.free and (group := (yield from work.take())):
            engine.start(group)
            yield from (Started(one, group[0] if place else None) for place, one in enumerate(group))
        for event in engine.events():
            yield event
            if isinstance(event, Separated):
                work.add(event.experiments)
