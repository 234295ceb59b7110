"""The output of `chaosbench run`: the experiments to run, their progress, and the ranking at the end."""

import shlex
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from rich.console import Console

from chaosbench.checkpoints import FOLDER, Checkpoints, Position
from chaosbench.errors import printable
from chaosbench.execution import Advanced, Event, Finished, Group, Placement, Plan, Published, Separated, Started
from chaosbench.experiment import Experiment, Run
from chaosbench.figures import draw as figures
from chaosbench.formats import counted
from chaosbench.kernels import compiles_for_cpu
from chaosbench.labels import shared, titles
from chaosbench.leaderboard.folder import FINISHED, Stored
from chaosbench.leaderboard.rank import rank
from chaosbench.monitor.costs import Costs, Work, observed
from chaosbench.monitor.state import Planned
from chaosbench.plugin_choice import Choice
from chaosbench.spec import Spec
from chaosbench.terminal.drawing import Drawings
from chaosbench.terminal.needs import needs
from chaosbench.terminal.progress import Display, progress
from chaosbench.terminal.ranking import show_ranking

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
    done = f"; {runs - left} of {runs} runs are done already" if left < runs else ""
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
    costs: Costs | None = None,
) -> Outcome:
    """Show the progress of a campaign until it ends, and draw the pictures of each experiment.

    Args:
        events: those of the campaign.
        todo: the experiments that will run.
        pictures: kinds of pictures to draw.
        workers: the largest number of processes that draw at a time.
        plugins: those that these processes load.
        costs: what is known about the times of experiments; None: nothing.
    """
    console = Console(highlight=False, stderr=True)
    planned = [
        Planned(title, len(one.seeds), Work.of(one.model_dump(mode="json")))
        for one, title in zip(todo, _titles(todo), strict=True)
    ]
    with (
        progress(planned, console, workers=workers, costs=costs) as display,
        Drawings(pictures, workers, plugins) as drawings,
    ):
        campaign = _Campaign(display, todo, drawings)
        try:
            for event in events:
                campaign.show(event)
            campaign.wait()
        finally:
            events.close()
    return Outcome(tuple(campaign.published), campaign.failed)


def draw_lost(experiments: Sequence[Experiment], earlier: Iterable[Stored], pictures: Sequence[type[Spec]]) -> None:
    """Draw the pictures that an interrupted command did not draw any more, and print how many they are.

    Args:
        experiments: those of the suite.
        earlier: what was stored before this command.
        pictures: kinds of pictures to draw.
    """
    console = Console(highlight=False, soft_wrap=True)
    identities = {experiment.identity for experiment in experiments}
    for stored in earlier if figures.available() else ():
        if stored.identity not in identities or stored.retryable:
            continue
        drawn = figures.draw_missing(stored, pictures)
        if count := sum(path.suffix == ".png" for path in drawn.files):
            console.print(f"{stored.folder}: {counted(count, 'missing picture')} drawn", markup=False)


def conclude(
    experiments: Sequence[Experiment], stored: Sequence[Stored], results: Path, pictures: Iterable[type[Spec]]
) -> None:
    """Print the ranking of the experiments, and where results and pictures are.

    Args:
        experiments: those to rank.
        stored: everything in the results directory.
        results: the results directory.
        pictures: kinds of pictures to draw.
    """
    ranking = rank(stored, identities={experiment.identity for experiment in experiments})
    show_ranking(ranking)
    console = Console(highlight=False, soft_wrap=True)
    drawn = figures.draw_boards(ranking, stored, results, pictures)
    for path in drawn.files:
        if path.suffix == ".png":
            console.print(f"picture that compares the experiments: {path}", markup=False)
    for kind, error in drawn.failures.items():
        console.print(f"{results}: the picture {kind} could not be drawn: {error}", markup=False)
    quoted = shlex.quote(str(results))
    for purpose, command in (
        ("pictures and numbers of each experiment", f"{results}/*/"),
        ("to show the ranking again", f"chaosbench rank {quoted}"),
        ("to explain why each run went well or badly", f"chaosbench explain {quoted}"),
    ):
        console.print(printable(f"{purpose}: {command}"), markup=False)


class _Campaign:
    """The state of a campaign: titles, start times, and the experiments published so far."""

    def __init__(self, display: Display, todo: Sequence[Experiment], drawings: Drawings) -> None:
        self._display, self._drawings = display, drawings
        self._titles = {experiment.digest(): title for experiment, title in zip(todo, _titles(todo), strict=True)}
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
                title = self._titles[experiment.digest()]
                again = title in self._started
                self._started[title] = perf_counter()
                if again:
                    self._display.restarted(title)
                else:
                    self._display.started(title, None if lead is None else self._titles[lead.digest()])
            case Separated(experiments, reason):
                why = reason or "they failed after training"
                self._display.note(f"{counted(len(experiments), 'experiment')} of a batch will run alone: {why}")
            case Advanced(experiment, now):
                self._display.advanced(self._titles[experiment.digest()], now)
            case Published(finished, stored):
                self._publish(finished, stored)
        self._finish(self._drawings.finished())

    def wait(self) -> None:
        """Wait until all pictures are drawn."""
        self._finish(self._drawings.rest())

    def _publish(self, finished: Finished, stored: Stored) -> None:
        title, runs = self._titles[finished.experiment.digest()], finished.result.runs
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
