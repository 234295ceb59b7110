"""The journal of a campaign: every event as a line of JSON, for other processes and machines to read while it runs.

Each experiment has a file of its own, which ends in its published folder; a further file has the plan of the campaign
and the end of each experiment. A line is written at once and whole. A file that a killed process left without its last
line break goes on with a new line, so that readers lose at most that line.
"""

import math
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from chaosbench.execution.grouping import Group
from chaosbench.execution.happenings import Advanced, Event, Finished, Separated, Shared, Started
from chaosbench.experiment import Experiment, Result
from chaosbench.labels import titles
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import FINISHED
from chaosbench.monitor.costs import Costs, Observation, Work
from chaosbench.monitor.known import remember
from chaosbench.monitor.lines import FOLDER, HEARTBEAT, append, lines
from chaosbench.progress import Progress
from chaosbench.provenance import host, of_command

DONE = 86_400.0  # [s] after which the file of a campaign without a sign of life is removed by the next one

_SOONEST, _LATEST, _SHARE = 1.0, 30.0, 200.0  # [s] between two lines of a training, and how many at least in all


class Journal:
    """Writes the events of a campaign; whatever cannot be written is left out, since no result depends on it.

    Args:
        results: the results directory.
        groups: what will run.
        device, workers: where.
        costs: what is known about times; None: nothing.
        clock: returns the time [s].
    """

    def __init__(
        self,
        results: Path,
        groups: Sequence[Group],
        *,
        device: str,
        workers: int,
        costs: Costs | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._folder, self._written = results / FOLDER, dict[str, tuple[float, float]]()  # [s] first and last line
        self._left, self._device = sum(map(len, groups)), device
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            _remove_old(self._folder)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        self._file = self._folder / f"campaign-{stamp}-{os.getpid()}.jsonl"
        plan = list(_planned(groups, costs or Costs()))
        about = {"device": device, "workers": workers, "host": host(), "pid": os.getpid(), **of_command()}
        append(self._file, "campaign", **about, experiments=plan)
        self._over = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def file(self, experiment: Experiment) -> Path:
        """Return the file of a running experiment."""
        return self._folder / f"{experiment.digest()[:12]}.jsonl"

    def see(self, event: Event) -> None:
        """Write what an event says."""
        match event:
            case Started(experiment, lead):
                batch = {} if lead is None else {"batch": lead.digest()[:12]}
                append(self.file(experiment), "start", seeds=list(experiment.seeds), **batch)
            case Advanced(experiment, progress) if self._due(experiment, progress):
                append(self.file(experiment), **_progress(progress))
            case Separated(experiments, reason):
                for experiment in experiments:
                    append(self.file(experiment), "warning", message=f"runs again, alone: {reason}")
            case Finished(experiment, result):
                self._left -= 1
                statuses = dict(Counter(run.status for run in result.runs))
                messages = {str(run.seed): run.message for run in result.runs if run.message}
                append(self.file(experiment), "end", statuses=statuses, messages=messages)
                lost = next((run.message for run in result.runs if run.status not in FINISHED), None)
                times = _times(result)
                if times is not None:
                    work = Work.of(experiment.model_dump(mode="json"))
                    remember([Observation(work, *times)], device=self._device, host=host())
                own = {"statuses": statuses, "times": times, "message": lost}
                append(self._file, "end", experiment=experiment.digest()[:12], **own)
            case Shared(experiment, stored, True):
                self._left -= 1
                statuses = dict(Counter(run["status"] for one in stored for run in one.runs))
                append(self._file, "end", experiment=experiment.digest()[:12], statuses=statuses)

    def published(self, experiment: Experiment) -> None:
        """Remove the file of an experiment whose folder has a copy."""
        with suppress(OSError):
            self.file(experiment).unlink()

    def close(self) -> None:
        """Write that the campaign has ended, and how many experiments are left."""
        self._over.set()
        append(self._file, "campaign_end", left=self._left)

    def _due(self, experiment: Experiment, progress: Progress) -> bool:
        """Return True for another phase, for the last update, and for others at a rate that falls with time."""
        now, key = self._clock(), experiment.digest()
        if progress.phase != "training":
            self._written.pop(key, None)
            return True
        began, last = self._written.get(key, (now, -math.inf))
        due = now - last >= min(max(_SOONEST, (now - began) / _SHARE), _LATEST) or progress.update == progress.updates
        if due:
            self._written[key] = began, now
        return due

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT):
            with suppress(OSError):
                os.utime(self._file)


def _planned(groups: Sequence[Group], costs: Costs) -> Iterator[Mapping[str, Any]]:
    """Yield digest, title, folder, work and expected times of every experiment."""
    experiments = [experiment for group in groups for experiment in group]
    for experiment, title in zip(experiments, titles([one.labels for one in experiments]), strict=True):
        work = Work.of(experiment.model_dump(mode="json"))
        estimate = costs.estimate(work)
        yield {
            "experiment": experiment.digest()[:12],
            "title": title,
            "folder": store.folder_name(experiment),
            "seeds": len(experiment.seeds),
            "work": work.as_json(),
            "estimate": [estimate.training, estimate.rest] if len(costs) else None,
        }


def _times(result: Result) -> tuple[float | None, float] | None:
    """Return the time per update and that outside training [s]; None where a seed has no result."""
    runs = result.runs
    if any(run.status not in FINISHED for run in runs):
        return None
    training, whole = sum(run.train_seconds for run in runs), sum(run.total_seconds for run in runs)
    return training / runs[0].updates if runs[0].updates else None, max(whole - training, 0.0)


def _progress(progress: Progress) -> dict[str, Any]:
    """Return the line of an experiment's progress; a number that is not finite is null."""
    if progress.phase not in ("training", "search") or not progress.updates:
        return {"event": "phase", "phase": progress.phase}
    numbers = {"loss": progress.loss, "gradient_norm": progress.gradient_norm}
    finite = {name: x if x is not None and math.isfinite(x) else None for name, x in numbers.items()}
    counts = {"update": progress.update, "updates": progress.updates}
    return {"event": "progress", "phase": progress.phase, **counts, **finite}


def _remove_old(folder: Path) -> None:
    """Remove the files of campaigns that have ended, or that have shown no sign of life for a day."""
    for path in folder.glob("campaign-*.jsonl"):
        events, _ = lines(path)
        age = datetime.now(UTC).timestamp() - path.stat().st_mtime
        if age > DONE or (events and events[-1]["event"] == "campaign_end"):
            path.unlink(missing_ok=True)
