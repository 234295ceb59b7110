"""The state of a campaign: what is done, running and waiting, and the time that is left."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from chaosbench.monitor.costs import Costs, Observation, Work, makespan

_POINTS = 400  # of the course of a training that are kept; beyond it every second one is left out

DRAWING = "pictures"


@dataclass(frozen=True)
class Planned:
    """An experiment that a campaign will run.

    Attributes:
        title: "trainer on model, system".
        seeds: their number.
        work: for estimates of its time; None where it is unknown.
    """

    title: str
    seeds: int = 1
    work: Work | None = None


@dataclass
class Running:
    """An experiment that runs.

    Attributes:
        title: "trainer on model, system".
        since: when it started [s].
        phase: what it does; empty until it says so.
        update, updates: of the training, or the trials of a search.
        losses, norms: medians over seeds of the loss and of the gradient norm over the training, thinned.
        batch: title of the first experiment of its batch, whose progress is that of all; None: it trains alone.
    """

    title: str
    since: float
    phase: str = ""
    update: int = 0
    updates: int = 0
    losses: list[float | None] = field(default_factory=list)
    norms: list[float | None] = field(default_factory=list)
    batch: str | None = None
    _first: tuple[float, int] | None = None  # time [s] and update of the first report
    _last: tuple[float, int] = (0.0, 0)
    _every: int = 1  # reports for each kept one
    _reports: int = 0

    @property
    def speed(self) -> float | None:
        """Updates per second since the training started or went on; None before two reports."""
        if self._first is None or self._last[0] <= self._first[0]:
            return None
        return (self._last[1] - self._first[1]) / (self._last[0] - self._first[0])

    def advance(
        self, phase: str, update: int, updates: int, numbers: tuple[float | None, float | None], at: float
    ) -> None:
        """Take a report of loss and gradient norm, or of another phase, into account."""
        if phase != self.phase:
            self.phase, self._first = phase, None
        self.update, self.updates = update, updates
        if phase not in ("training", "search") or not updates:
            return
        self._first, self._last = self._first or (at, update), (at, update)
        if phase == "training":
            self._keep(numbers)

    def _keep(self, numbers: tuple[float | None, float | None]) -> None:
        if self._reports % self._every == 0:
            self.losses.append(numbers[0])
            self.norms.append(numbers[1])
        self._reports += 1
        if len(self.losses) > _POINTS:
            self.losses, self.norms = self.losses[::2], self.norms[::2]
            self._every *= 2


class State:
    """The state of a campaign, which its events change.

    Args:
        planned: what will run, by a key of each experiment.
        workers: number of processes at a time.
        costs: what is known about times.
        began: when the campaign started [s].
    """

    def __init__(self, planned: Mapping[str, Planned], *, workers: int, costs: Costs, began: float) -> None:
        self.planned, self.workers, self.costs, self.began = dict(planned), workers, costs, began
        self.running: dict[str, Running] = {}
        self.ended: dict[str, Mapping[str, int]] = {}  # statuses of the seeds

    def start(self, key: str, at: float, *, batch: str | None = None) -> None:
        """Note that an experiment starts, or starts again."""
        lead = None if batch is None else self._title(batch)
        self.running[key] = Running(self._title(key), at, batch=lead)
        self.ended.pop(key, None)

    def advance(
        self,
        key: str,
        phase: str,
        at: float,
        *,
        update: int = 0,
        updates: int = 0,
        loss: float | None = None,
        norm: float | None = None,
    ) -> None:
        """Note how far an experiment is."""
        if key not in self.running:
            self.start(key, at)
        self.running[key].advance(phase, update, updates, (loss, norm), at)

    def drawing(self, key: str, at: float) -> None:
        """Note that the pictures of an experiment that has ended are being drawn."""
        self.running[key] = Running(self._title(key), at, phase=DRAWING)

    def drawn(self, key: str) -> None:
        """Note that the pictures of an experiment are drawn."""
        self.running.pop(key, None)

    def end(self, key: str, statuses: Mapping[str, int], *, observation: Observation | None = None) -> None:
        """Note that an experiment has ended, with the number of seeds with each status."""
        self.running.pop(key, None)
        self.ended[key] = dict(statuses)
        if observation is not None:
            self.costs.add(observation)

    @property
    def total(self) -> int:
        """Number of experiments."""
        return len(self.planned.keys() | self.running.keys() | self.ended.keys())

    @property
    def counts(self) -> dict[str, int]:
        """Number of experiments by their state: ok, diverged, those without a result by their status, running, waiting.

        An experiment counts under its worst status: one without a result, then diverged, then ok. Those whose pictures
        are being drawn have ended, and count twice.
        """
        ended = Counter(worst(statuses) for statuses in self.ended.values())
        drawing = sum(run.phase == DRAWING for run in self.running.values())
        running = len(self.running) - drawing
        waiting = self.total - len(self.ended) - running
        shown = {"ok": ended.pop("ok", 0), "diverged": ended.pop("diverged", 0), **ended}
        return {
            name: count
            for name, count in {**shown, "running": running, "drawing": drawing, "waiting": waiting}.items()
            if count
        }

    def seconds_left(self, now: float) -> tuple[float, float] | None:
        """Return the expected time until the end [s] and its relative uncertainty; None where nothing is known.

        The uncertainty is a standard deviation of the logarithm.
        """
        waiting = [plan for key, plan in self.planned.items() if key not in self.running and key not in self.ended]
        alone = {key: run for key, run in self.running.items() if run.batch is None and run.phase != DRAWING}
        estimates = [self.costs.estimate(plan.work) for plan in waiting if plan.work is not None]
        if len(estimates) < len(waiting) or not (waiting or self.running):
            return None
        busy = [self._left(key, run, now) for key, run in alone.items()]
        if any(left is None for left in busy):
            return None
        times = [left for left in busy if left is not None]
        rests = [(one.seconds, one.spread) for one in estimates]
        rests += [(left, self._spread(key)) for key, left in zip(alone, times, strict=True)]
        whole = sum(seconds for seconds, _ in rests)
        spread = sum(seconds * spread for seconds, spread in rests) / whole if whole else 0.0
        return makespan([one.seconds for one in estimates], self.workers, times), spread

    def _left(self, key: str, run: Running, now: float) -> float | None:
        """Return the expected time until a running experiment ends [s]; None where it is unknown."""
        work = self.planned[key].work if key in self.planned else None
        estimate = None if work is None else self.costs.estimate(work)
        rest = 0.0 if estimate is None else estimate.rest
        if run.phase == "training" and run.speed:
            return (run.updates - run.update) / run.speed + rest / 2  # half of the rest comes after the training
        if estimate is None:
            return None
        if run.phase in ("forecasts", "scores"):
            return rest / 4
        return max(estimate.seconds - (now - run.since), 0.1 * estimate.seconds)

    def _spread(self, key: str) -> float:
        work = self.planned[key].work if key in self.planned else None
        return 0.0 if work is None else self.costs.estimate(work).spread

    def _title(self, key: str) -> str:
        return self.planned[key].title if key in self.planned else key


def worst(statuses: Mapping[str, int]) -> str:
    """Return the status that an experiment counts under."""
    present = [status for status, count in statuses.items() if count]
    lost = sorted(status for status in present if status not in ("ok", "diverged"))
    return lost[0] if lost else "diverged" if "diverged" in present else "ok"


def shortened(values: Iterable[float | None], width: int) -> list[float | None]:
    """Return at most `width` values, each the last finite one of an equal share; None where a share has none."""
    course = list(values)
    if len(course) <= width:
        return course
    edges = [round(index * len(course) / width) for index in range(width + 1)]
    shares = (course[start:end] for start, end in pairwise(edges))
    return [next((value for value in reversed(share) if value is not None), None) for share in shares]
