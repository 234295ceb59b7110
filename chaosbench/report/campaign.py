"""What a person sees of `chaosbench run`: what will be done, how it goes, and what came of it."""

from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from time import perf_counter

from rich.console import Console

from chaosbench.execution import Advanced, Event, Finished, Published, Started
from chaosbench.experiment import Experiment
from chaosbench.leaderboard.rank import Ranking, rank
from chaosbench.report import figures
from chaosbench.report.progress import progress
from chaosbench.report.terminal import ranking_table


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
    for experiment in todo:
        console.print(f"  {experiment.name}  seeds {', '.join(map(str, experiment.seeds))}", markup=False)


def show(events: Generator[Event | Published, None, None], total: int) -> int:
    """Follow a campaign to its end, drawing each experiment's pictures; the number of experiments that failed."""
    console = Console(highlight=False, stderr=True)
    began: dict[str, float] = {}
    failed = 0
    pictures = figures.available()
    with progress(total, console) as display:
        if not pictures:
            display.note("matplotlib is not installed, so no pictures are drawn; pip install 'chaosbench[plots]'")
        try:
            for event in events:
                if isinstance(event, Started):
                    began[event.experiment.name] = perf_counter()
                    display.started(event.experiment.name)
                elif isinstance(event, Advanced):
                    display.advanced(event.experiment.name, event.update, event.updates, event.loss)
                elif isinstance(event, Finished):
                    name, runs = event.experiment.name, event.result.runs
                    display.finished(name, Counter(run.status for run in runs), perf_counter() - began[name])
                    lost = [run for run in runs if run.status not in ("ok", "diverged")]
                    failed += bool(lost)
                    if lost:
                        display.note(f"{name}: {lost[0].message}")
                elif pictures and any(run.status in ("ok", "diverged") for run in event.finished.result.runs):
                    figures.draw(event.folder)
        finally:
            events.close()
    return failed


def conclude(experiments: Sequence[Experiment], results: Path) -> None:
    """The ranking of what was asked for, and where its pictures lie."""
    show_ranking(rank(results, identities={experiment.identity for experiment in experiments}))
    Console(highlight=False, soft_wrap=True).print(
        f"pictures and numbers of each experiment: {results}/*/; rank them again with: chaosbench rank {results}",
        markup=False,
    )


def show_ranking(ranking: Ranking) -> None:
    """The ranking's tables."""
    Console(highlight=False).print(ranking_table(ranking))
