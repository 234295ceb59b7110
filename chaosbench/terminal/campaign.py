"""The output of `chaosbench run`: the experiments to run, their progress, and the ranking at the end."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from rich.console import Console

from chaosbench.checkpoints import FOLDER, Checkpoints, Position
from chaosbench.errors import printable
from chaosbench.execution import (
    Advanced,
    Elsewhere,
    Event,
    Finished,
    GivenUp,
    Group,
    Placement,
    Plan,
    Published,
    Separated,
    Shared,
    Started,
)
from chaosbench.execution.placement import cores
from chaosbench.experiment import Experiment, Run
from chaosbench.figures import draw as figures
from chaosbench.formats import counted
from chaosbench.kernels import compiles_for_cpu
from chaosbench.labels import shared, titles
from chaosbench.leaderboard.folder import FINISHED, Stored
from chaosbench.monitor.costs import Costs, Work, observed
from chaosbench.monitor.state import Planned
from chaosbench.plugin_choice import Choice
from chaosbench.spec import Spec
from chaosbench.terminal.drawing import Drawings
from chaosbench.terminal.needs import needs
from chaosbench.terminal.progress import Display, progress

_NOUNS = ("system", "data", "model", "trainer")


@dataclass(frozen=True)
class Outcome:
    """The end of a campaign.

    Attributes:
        published: the experiments that were run, as stored.
        failed: how many of them have a seed without a result.
    """

    published: tuple[Stored, ...] = ()
    failed: int = 0


def announce(
    experiments: Sequence[Experiment], groups: Sequence[Group], results: Path, where: Placement, plan: Plan
) -> None:
    """Print how many runs there are and are done, which experiments will run, and what they are expected to need."""
    console = Console(highlight=False, soft_wrap=True)
    todo = [experiment for group in groups for experiment in group]
    runs, left = (sum(len(experiment.seeds) for experiment in group) for group in (experiments, todo))
    done = f"; {runs - left} of {runs} runs have ended already" if left < runs else ""
    console.print(
        f"{experiments[0].suite if experiments else 'suite'}: {counted(len(todo), 'experiment')}, "
        f"{counted(left, 'run')} on {where.device} "
        f"into {printable(str(results))}{done}",
        markup=False,
    )
    for line in _recorded(experiments):
        console.print(f"  {line}", markup=False)
    if where.reason:
        console.print(f"  {where.device}, because it takes {where.reason}", markup=False)
    for line in _group_lines(groups, _titles(todo), results / FOLDER, where.device):
        console.print(f"  {line}", markup=False)
    for line in _searches(todo):
        console.print(f"  {line}", markup=False)
    for noun in _NOUNS:
        for kind, settings in shared(experiment.labels[noun] for experiment in todo).items():
            console.print(f"  every {kind}: {settings}", markup=False)
    for line in needs(plan, where.workers) if todo else ():
        console.print(f"  {line}", markup=False)
    if todo and where.device == "cpu" and not compiles_for_cpu():
        console.print(
            "  numba is not installed, so networks run in plain torch; faster: pip install numba", markup=False
        )


def _recorded(experiments: Iterable[Experiment]) -> Iterator[str]:
    """Yield how each recorded series is read, and the exponent that its training data have."""
    for system, data in dict.fromkeys((experiment.system, experiment.data) for experiment in experiments):
        yield from system.describe(data)


def _searches(experiments: Sequence[Experiment]) -> Iterator[str]:
    """Yield what each search does before the training, and what it costs at most."""
    for experiment, title in zip(experiments, _titles(experiments), strict=True):
        search = experiment.search
        if search is None:
            continue
        whole = getattr(experiment.trainer, "updates", 1)  # a fit in closed form is one
        each = search.updates if search.updates and hasattr(experiment.trainer, "updates") else whole
        cost = (
            f"up to {search.trials * each:,} updates of one seed, beside {len(experiment.seeds) * whole:,} for training"
            if "trainer.updates" not in search.fields or search.updates is not None
            else "their numbers of updates differ"
        )
        yield f"{title}: {counted(search.trials, 'trial')} over {', '.join(search.fields)} first; {cost}"


def _group_lines(groups: Sequence[Group], titles: Iterable[str], checkpoints: Path, device: str) -> Iterator[str]:
    """Yield a line for each experiment, and one before those that are trained as one batch."""
    remaining = iter(titles)
    for group in groups:
        if len(group) > 1:
            count = sum(len(experiment.seeds) for experiment in group)
            yield f"as one batch, {len(group)} experiments with {counted(count, 'seed')}:"
        for experiment, title in zip(group, remaining, strict=False):
            line = f"{title}; seeds {', '.join(map(str, experiment.seeds))}"
            if len(group) > 1:
                yield f"  {line}"
            else:
                yield line + _begin(Checkpoints(experiment, checkpoints, device).position())


def _begin(position: Position) -> str:
    """Return where a training begins; empty if it is new."""
    if position.why_not:
        return f"; a new training, because {position.why_not}"
    if position.finished_at is not None:
        return f"; goes on from the finished training of {position.finished_at} updates"
    return f"; goes on from update {position.update}" if position.update else ""


def show(
    events: Generator[Event | Published, None, None],
    todo: Sequence[Experiment],
    pictures: Iterable[type[Spec]],
    *,
    workers: int,
    plugins: Choice,
    check: Callable[[], object],
    costs: Costs | None = None,
) -> Outcome:
    """Show the progress of a campaign until it ends, and draw the pictures of each experiment.

    Args:
        events: those of the campaign.
        todo: the experiments that will run.
        pictures: kinds of pictures to draw.
        workers: the largest number of processes that draw at a time.
        plugins: those that these processes load.
        check: is called several times a second while pictures are drawn at the end, and may raise.
        costs: what is known about the times of experiments; None: nothing.
    """
    console = Console(highlight=False, stderr=True)
    planned = [
        Planned(title, len(one.seeds), Work.of(one.model_dump(mode="json")))
        for one, title in zip(todo, _titles(todo), strict=True)
    ]
    with (
        progress(planned, console, workers=workers, costs=costs) as display,
        Drawings(pictures, min(workers, cores()), plugins) as drawings,
    ):
        campaign = _Campaign(display, todo, drawings)
        try:
            for event in events:
                campaign.show(event)
            campaign.wait(check)
        finally:
            events.close()
    return Outcome(tuple(campaign.published), campaign.failed)


class _Campaign:
    """The state of a campaign: titles, start times, and the experiments published so far."""

    def __init__(self, display: Display, todo: Sequence[Experiment], drawings: Drawings) -> None:
        self._display, self._drawings = display, drawings
        self._titles = {experiment.digest(): title for experiment, title in zip(todo, _titles(todo), strict=True)}
        self._by_identity = {one.identity: title for one, title in zip(todo, self._titles.values(), strict=True)}
        self._started: dict[str, float] = {}
        self._ended: dict[Path, tuple[str, Sequence[Run], float]] = {}  # by folder, until all pictures are drawn
        self._draws = figures.available()
        self.published: list[Stored] = []
        self.failed = 0
        if not self._draws:
            display.note("matplotlib is not installed, so no pictures are drawn; pip install 'chaosbench[plots]'")

    def show(self, event: Event | Published) -> None:
        match event:
            case Started(experiment, lead):
                title = self._title(experiment)
                again = title in self._started
                self._started[title] = perf_counter()
                if again:
                    self._display.restarted(title)
                else:
                    self._display.started(title, None if lead is None else self._title(lead))
            case Separated(experiments, reason):
                why = reason or "they failed after training"
                self._display.note(f"{counted(len(experiments), 'experiment')} of a batch will run alone: {why}")
            case Elsewhere(experiment, holder):
                where = f"process {holder.pid} on {holder.host}" if holder.host else "another campaign"
                self._display.note(f"{self._title(experiment)}: {where} runs it")
            case Shared(experiment, stored, ended):
                self._share(self._title(experiment), stored, ended=ended)
            case GivenUp(failures, left):
                rest = f"{counted(left, 'experiment')} left to run"
                self._display.note(f"stopped after {counted(failures, 'failure')}, with {rest}")
            case Advanced(experiment, now):
                self._display.advanced(self._title(experiment), now)
            case Published(finished, stored):
                self._publish(finished, stored)
        self._finish(self._drawings.finished())

    def _title(self, experiment: Experiment) -> str:
        """Return the title of an experiment, of which another campaign may have run some seeds."""
        return self._titles.get(experiment.digest()) or self._by_identity[experiment.identity]

    def _share(self, title: str, stored: Sequence[Stored], *, ended: bool) -> None:
        """Report what another campaign has published."""
        self.published += stored
        if not ended:
            self._display.note(f"{title}: another campaign has run some of its seeds")
            return
        statuses = Counter(run["status"] for one in stored for run in one.runs)
        seconds = sum(run["total_seconds"] or 0.0 for one in stored for run in one.runs)
        self._display.note(f"{title}: another campaign has run it")
        self._display.ended(title, statuses, observed(stored[-1]))
        self._display.finished(title, statuses, seconds)
        self.failed += not statuses.keys() <= FINISHED

    def wait(self, check: Callable[[], object]) -> None:
        """Wait until all pictures are drawn."""
        self._finish(self._drawings.rest(check))

    def _publish(self, finished: Finished, stored: Stored) -> None:
        title, runs = self._title(finished.experiment), finished.result.runs
        self.published.append(stored)
        self._display.ended(title, Counter(run.status for run in runs), observed(stored))
        self._ended[stored.folder] = title, runs, perf_counter() - self._started[title]
        if self._draws and any(run.status in FINISHED for run in runs):
            self._display.drawing(title)
            self._drawings.begin(stored.folder)
        else:
            self._finish([(stored.folder, {})])

    def _finish(self, drawn: Iterable[tuple[Path, Mapping[str, str]]]) -> None:
        """Report the end of experiments, given the pictures of each that could not be drawn."""
        for folder, failures in drawn:
            title, runs, seconds = self._ended.pop(folder)
            for kind, error in failures.items():
                self._display.note(f"{folder}: the picture {kind} could not be drawn: {error}")
            self._display.finished(title, Counter(run.status for run in runs), seconds)
            self._note(title, runs)

    def _note(self, title: str, runs: Sequence[Run]) -> None:
        """Report failed runs and suspicious ones."""
        without_result = [run for run in runs if run.status not in FINISHED]
        if without_result:
            self.failed += 1
            self._display.note(f"{title}: {without_result[0].message}")
        for run in runs:
            if run.status == "ok" and run.message:
                self._display.note(f"{title}, seed {run.seed}: {run.message}")


def _titles(experiments: Sequence[Experiment]) -> list[str]:
    return titles([experiment.labels for experiment in experiments])
