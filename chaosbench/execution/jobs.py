"""Groups of experiments as jobs of a cluster, of which a node runs each in a worker process, as this machine would."""

import pickle
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from chaosbench.execution.grouping import Group
from chaosbench.execution.happenings import Advanced, Event, Finished, Separated
from chaosbench.execution.local import Site, local
from chaosbench.execution.lost import lost
from chaosbench.experiment import Status


@dataclass(frozen=True)
class Job:
    """A group of experiments to run on a node."""

    pickled: bytes  # the group: its classes may be those of plug-ins, which the node loads first
    site: Site

    @classmethod
    def of(cls, group: Group, site: Site) -> "Job":
        """Return the job of a group."""
        return cls(pickle.dumps(group), site)

    def run(self, tell: Callable[[Advanced], object] | None = None) -> list[Finished | Separated]:
        """Run the group here, in a worker process, and return how its experiments have ended.

        Args:
            tell: is called with progress; None: nobody is told.
        """
        from chaosbench import registry

        site = self.site
        site.plugins.export()
        registry.load()
        site = replace(site, logs=_writable(site.logs), checkpoints=_writable(site.checkpoints))
        workers = local(site, 1)
        ended = list[Finished | Separated]()
        try:
            workers.start(pickle.loads(self.pickled))
            while workers.busy:
                for event in workers.events():
                    if isinstance(event, Finished | Separated):
                        ended.append(event)
                    elif tell is not None and isinstance(event, Advanced):
                        tell(event)
        finally:
            workers.close()
        return ended


@dataclass
class Running:
    """A job that was given to a cluster."""

    group: Group
    started: datetime

    @classmethod
    def now(cls, group: Group) -> "Running":
        """Return a job that starts now."""
        return cls(group, datetime.now(UTC))

    def failed(self, status: Status, reason: str) -> Iterator[Event]:
        """Yield what becomes of the experiments of a job that was lost."""
        if len(self.group) > 1:
            yield Separated(self.group, reason)
        else:
            yield Finished(self.group[0], lost(self.group[0], status, reason, started=self.started))


def _writable(folder: Path) -> Path:
    """Return the folder, or a temporary one where this machine cannot write it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="chaosbench-"))
