"""The events of a campaign: what becomes of its experiments."""

from dataclasses import dataclass

from chaosbench.execution.leases import Holder
from chaosbench.experiment import Experiment, Result
from chaosbench.leaderboard.folder import Stored
from chaosbench.progress import Progress


@dataclass(frozen=True)
class Started:
    """A worker has started an experiment.

    Attributes:
        lead: the first experiment of its batch, whose progress during training is that of all; None for an experiment
            that trains alone, and for the first one itself.
    """

    experiment: Experiment
    lead: Experiment | None = None


@dataclass(frozen=True)
class Advanced:
    """An experiment has entered another phase or has trained further."""

    experiment: Experiment
    progress: Progress


@dataclass(frozen=True)
class Finished:
    """An experiment has ended; the status of each run says whether it has a result."""

    experiment: Experiment
    result: Result


@dataclass(frozen=True)
class Separated:
    """Experiments of a batch have ended without a result; each of them will run alone.

    Attributes:
        reason: why the batch failed; empty if only these experiments did, after training.
    """

    experiments: tuple[Experiment, ...]
    reason: str


@dataclass(frozen=True)
class GivenUp:
    """So many experiments have failed that the campaign ends.

    Attributes:
        failures: number of experiments without a result.
        left: number of experiments that did not run, or not to their end.
    """

    failures: int
    left: int


@dataclass(frozen=True)
class Elsewhere:
    """Another campaign on the same results directory runs an experiment; this one goes on with others meanwhile."""

    experiment: Experiment
    holder: Holder


@dataclass(frozen=True)
class Shared:
    """Another campaign has run an experiment.

    Attributes:
        stored: what it has published.
        ended: True if no seed is left to run.
    """

    experiment: Experiment
    stored: tuple[Stored, ...]
    ended: bool


Event = Started | Advanced | Finished | Separated | GivenUp | Elsewhere | Shared
