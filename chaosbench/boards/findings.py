"""Something wrong with a submission or a board, in words."""

from dataclasses import dataclass

from chaosbench.leaderboard.folder import Stored


@dataclass(frozen=True)
class Finding:
    """Something wrong with a submission.

    Attributes:
        check: the name of the check.
        what: one sentence that names the culprit.
    """

    check: str
    what: str


def title_of(stored: Stored) -> str:
    """Return "trainer on model, system" of an experiment, by its first run."""
    run = stored.runs[0]
    return f"{run['trainer']} on {run['model']}, {run['system']}"
