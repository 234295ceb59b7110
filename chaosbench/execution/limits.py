"""Limits of an experiment: wall time, time without a sign of life, and memory."""

from dataclasses import dataclass, replace

from chaosbench.execution.memory import usable_memory
from chaosbench.formats import duration, size

STALLED = 600.0  # [s] without a sign of life, after which an experiment is ended unless the user says otherwise
LOG = 2**22  # [bytes] of a log; of more, the beginning and the end are kept

_SHARE = 0.9  # of the memory that all workers may use together, so that the parent survives
_LEAST = 4 * 10**9  # [bytes] for a worker however many there are, since few experiments need as much as their share
_BUSY = 0.05  # share of a core that counts as a sign of life; a process that sleeps and polls uses less


@dataclass(frozen=True)
class Limits:
    """The limits of an experiment.

    Attributes:
        timeout: wall time [s]; a batch of experiments has that of all of them. None: as long as it takes.
        stalled: longest time without a sign of life, which is progress or work of the CPU [s]; None: for ever.
        memory: resident memory of a worker and of everything it has started [bytes]; None: as much as there is.
    """

    timeout: float | None = None
    stalled: float | None = STALLED
    memory: int | None = None

    def shared(self, workers: int) -> "Limits":
        """Return the limits with an equal share of the machine's memory for each worker, where none is given.

        With many workers each has 4 GB, if the machine has as much.
        """
        if self.memory is not None:
            return self
        usable = int(_SHARE * usable_memory())
        return replace(self, memory=max(usable // workers, min(_LEAST, usable)))

    def overtime(self, seconds: float, experiments: int) -> str:
        """Return why experiments have taken too long; empty if they have not.

        Args:
            seconds: since their start.
            experiments: their number.
        """
        if self.timeout is None or seconds <= self.timeout * experiments:
            return ""
        return f"it took longer than its time limit of {duration(self.timeout * experiments)}"

    def silence(self, seconds: float) -> str:
        """Return why an experiment that has given no sign of life for so long is ended; empty if it goes on."""
        if self.stalled is None or seconds <= self.stalled:
            return ""
        return f"it made no progress and used no CPU for {duration(self.stalled)}"

    def excess(self, memory: int) -> str:
        """Return why a worker that uses this memory [bytes] is ended; empty if it goes on."""
        if self.memory is None or memory <= self.memory:
            return ""
        return f"it used {size(memory)} of memory, more than the {size(self.memory)} that a worker may use"


def sign_of_life(cpu_seconds: float, wall_seconds: float) -> bool:
    """Return True if a process that has used this CPU time within this wall time [s] is at work."""
    return cpu_seconds > 0 and cpu_seconds >= _BUSY * wall_seconds
