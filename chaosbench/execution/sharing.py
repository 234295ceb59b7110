"""The experiments that a campaign has yet to run, which it may share with others on the same results directory."""

import random
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

from chaosbench.errors import StoreError
from chaosbench.execution.grouping import Group, alone
from chaosbench.execution.happenings import Elsewhere, Event, Shared
from chaosbench.execution.leases import Leases
from chaosbench.experiment import Experiment
from chaosbench.leaderboard.folder import MANIFEST, Stored, read
from chaosbench.leaderboard.store import folder_name

_AGAIN = 0.5  # [s] at least, and up to three times as long at random, until experiments of others are tried again


class Queue:
    """The experiments that wait; each is taken with its lease, and left out where another campaign has run it.

    Args:
        groups: what to run, in this order.
        results: the results directory.
        leases: those of this process there.
    """

    def __init__(self, groups: Sequence[Group], results: Path, leases: Leases) -> None:
        self._waiting, self._results, self._leases = deque(groups), results, leases
        self._elsewhere: dict[str, Experiment] = {}  # by digest
        self._again = monotonic()
        self._others: dict[str, list[Stored]] = {}  # what others have published, by the identity of the experiment
        self._known = {path.parent.name: _changed(path) for path in results.glob(f"[!.]*/{MANIFEST}")}

    def __len__(self) -> int:
        """Return the number of experiments that wait, those that others run included."""
        return sum(map(len, self._waiting)) + len(self._elsewhere)

    def add(self, experiments: Sequence[Experiment]) -> None:
        """Add experiments, each to run alone."""
        self._waiting.extend(alone(experiments))

    def done(self, experiment: Experiment, folder: Path) -> None:
        """Give back the lease of an experiment that this process has published in a folder."""
        self._known[folder.name] = _changed(folder / MANIFEST)
        self._leases.give_back(lease_name(experiment))

    def take(self) -> Generator[Event, None, Group]:
        """Return the next group that can start, whose leases are held then; an empty one if there is none now."""
        if not self._waiting and self._elsewhere and monotonic() > self._again:
            self._again = monotonic() + _AGAIN * (1 + 2 * random.random())
            self._waiting.extend(alone(list(self._elsewhere.values())))
        while self._waiting:
            mine = []
            for experiment in self._waiting.popleft():
                left = yield from self._taken(experiment)
                mine += [] if left is None else [left]
            if mine:
                return tuple(mine)
        return ()

    def _taken(self, experiment: Experiment) -> Generator[Event, None, Experiment | None]:
        """Take the lease of an experiment; return it with the seeds that are left, or None if none is to run now."""
        holder = self._leases.take(lease_name(experiment))
        if holder is not None:
            if experiment.digest() not in self._elsewhere:
                yield Elsewhere(experiment, holder)
            self._elsewhere[experiment.digest()] = experiment
            return None
        self._elsewhere.pop(experiment.digest(), None)
        self._look(experiment)
        stored = tuple(self._others.pop(experiment.identity, ()))
        done = {run["seed"] for one in stored for run in one.runs}
        left = tuple(seed for seed in experiment.seeds if seed not in done)
        if left == experiment.seeds:
            return experiment
        yield Shared(experiment, stored, ended=not left)
        if left:
            return experiment.replaced(seeds=left)
        self._leases.give_back(lease_name(experiment))
        return None

    def _look(self, experiment: Experiment) -> None:
        """Read what others have published since this campaign began, or since the last call."""
        own = folder_name(experiment)
        for path in self._results.glob(f"[!.]*/{MANIFEST}"):
            name = path.parent.name
            if name in self._known and (name != own or self._known[name] == _changed(path)):
                continue
            self._known[name] = _changed(path)
            with suppress(StoreError):  # damaged, or the folder of another program
                stored = read(path.parent)
                self._others.setdefault(stored.identity, []).append(stored)


def lease_name(experiment: Experiment) -> str:
    """Return the name of the lease of an experiment, whichever of its seeds are to run."""
    return experiment.identity[:24]


def _changed(path: Path) -> int:
    """Return when a file was written [ns]; 0 if it is gone."""
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0
