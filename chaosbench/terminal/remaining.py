"""Runs that ended without a result earlier, and that a command leaves as they are."""

from collections import Counter
from collections.abc import Iterable

from rich.console import Console

from chaosbench.experiment import Experiment
from chaosbench.leaderboard.folder import FINISHED, Stored


def left_as_they_are(experiments: Iterable[Experiment], todo: Iterable[Experiment], stored: Iterable[Stored]) -> int:
    """Print how many runs have ended without a result and will not run again, and return their number."""
    running = {(experiment.identity, seed) for experiment in todo for seed in experiment.seeds}
    wanted = {(experiment.identity, seed) for experiment in experiments for seed in experiment.seeds} - running
    ended = {(one.identity, run["seed"]): run["status"] for one in stored for run in one.runs}
    ended |= {(one.identity, run["seed"]): "" for one in stored for run in one.runs if run["status"] in FINISHED}
    statuses = Counter(ended.get(run) for run in wanted if ended.get(run))
    if statuses:
        console = Console(highlight=False, soft_wrap=True)
        counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
        again = " ".join(f"--rerun {status}" for status in statuses)
        console.print(f"  without a result, and not run again: {counts}; to run them again: {again}", markup=False)
    return statuses.total()
