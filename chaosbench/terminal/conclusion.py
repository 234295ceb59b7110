"""The end of a campaign's output: the ranking, and where results and pictures are."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from chaosbench.errors import printable
from chaosbench.experiment import Experiment
from chaosbench.figures import draw as figures
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.rank import rank
from chaosbench.spec import Spec
from chaosbench.terminal.ranking import show_ranking


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
