"""What a person sees of `chaosbench run`: what will be done, how it goes, and what came of it."""

from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from time import perf_counter

from rich.console import Console

from chaosbench.execution import Advanced, Event, Finished, Published, Started
from chaosbench.experiment import Experiment
from chaosbench.figures import draw as figures
from chaosbench.figures.sweeps import draw_sweeps
from chaosbench.labels import shared, shortened
from chaosbench.leaderboard.rank import Ranking, rank
from chaosbench.terminal.progress import progress
from chaosbench.terminal.ranking import ranking_table

_NOUNS = ("system", "model", "trainer")


def announce(experiments: Sequence[Experiment], todo: Sequence[Experiment], results: Path, device: str) -> None:
    """Say how much there is to do, and list it."""
    console = Console(highlight=False, soft_wrap=True)
    runs, left = (sum(len(one.seeds) for one in some) for some in (experiments, todo))
    done = f"; {runs - left} of {runs} runs are done already" if left < runs else ""
    console.print(
        f"{experiments[0].suite if experiments else 'suite'}: {len(todo)} experiments, {left} runs on {device} "
        f"into {results}{done}",
        markup=False,
    )
    called = names(todo)
    for experiment in todo:
        console.print(f"  {called[experiment.digest()]}; seeds {', '.join(map(str, experiment.seeds))}", markup=False)
    for noun in _NOUNS:
        for kind, settings in shared(getattr(experiment, noun).label for experiment in todo).items():
            console.print(f"  every {kind}: {settings}", markup=False)


def names(experiments: Sequence[Experiment]) -> dict[str, str]:
    """A name for each experiment, by digest, that says no more than what tells them apart."""
    short = {noun: shortened(getattr(experiment, noun).label for experiment in experiments) for noun in _NOUNS}
    return {
        experiment.digest(): "{trainer} on {model}, {system}".format(
            **{noun: short[noun][getattr(experiment, noun).label] for noun in _NOUNS}
        )
        for experiment in experiments
    }


def show(events: Generator[Event | Published, None, None], todo: Sequence[Experiment]) -> int:
    """Follow a campaign to its end, drawing each experiment's pictures; the number of experiments that failed."""
    console = Console(highlight=False, stderr=True)
    called, began = names(todo), dict[str, float]()
    failed = 0
    pictures = figures.available()
    with progress(len(todo), console) as display:
        if not pictures:
            display.note("matplotlib is not installed, so no pictures are drawn; pip install 'chaosbench[plots]'")
        try:
            for event in events:
                if isinstance(event, Started):
                    name = called[event.experiment.digest()]
                    began[name] = perf_counter()
                    display.started(name)
                elif isinstance(event, Advanced):
                    if event.progress.phase == "training":
                        step = event.progress
                        display.advanced(called[event.experiment.digest()], step.update, step.updates, step.loss)
                elif isinstance(event, Finished):
                    name, runs = called[event.experiment.digest()], event.result.runs
                    display.finished(name, Counter(run.status for run in runs), perf_counter() - began[name])
                    lost = [run for run in runs if run.status not in ("ok", "diverged")]
                    failed += bool(lost)
                    if lost:
                        display.note(f"{name}: {lost[0].message}")
                    for run in runs:
                        if run.status == "ok" and run.message:
                            display.note(f"{name}, seed {run.seed}: {run.message}")
                elif pictures and any(run.status in ("ok", "diverged") for run in event.finished.result.runs):
                    try:
                        figures.draw(event.folder)
                    except Exception as error:  # a picture is no reason to lose the numbers still to come
                        display.note(f"{event.folder}: the pictures could not be drawn: {error}")
        finally:
            events.close()
    return failed


def conclude(experiments: Sequence[Experiment], results: Path) -> None:
    """The ranking of what was asked for, and where its pictures lie."""
    ranking = rank(results, identities={experiment.identity for experiment in experiments})
    show_ranking(ranking)
    console = Console(highlight=False, soft_wrap=True)
    drawn = draw_sweeps(ranking, results) if figures.available() else []
    for path in drawn:
        if path.suffix == ".png":
            console.print(f"state space divergence over the forcing interval: {path}", markup=False)
    console.print(
        f"pictures and numbers of each experiment: {results}/*/; rank them again with: chaosbench rank {results}; "
        f"why a run went as it did: chaosbench explain {results}",
        markup=False,
    )


def show_ranking(ranking: Ranking) -> None:
    """The ranking's tables."""
    Console(highlight=False).print(ranking_table(ranking))
