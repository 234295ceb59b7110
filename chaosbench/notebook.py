"""Results in memory, for notebooks: a ranked table and pictures, without a results directory."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from chaosbench import registry
from chaosbench.errors import StoreError
from chaosbench.experiment import Result
from chaosbench.figures.base import ExperimentPicture
from chaosbench.leaderboard.folder import in_memory
from chaosbench.leaderboard.rank import rank
from chaosbench.terminal.ranking import show_ranking as show

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_ranking(results: Iterable[Result]) -> None:
    """Print the ranking of results of `run_experiment`, one table per system, data and evaluation."""
    show(rank([in_memory(result) for result in results]))


def picture(result: Result, kind: str = "attractor") -> "Figure":
    """Draw a picture of a result.

    Args:
        result: of `run_experiment`.
        kind: a picture of experiments, as in `chaosbench list pictures`.

    Raises:
        ChaosbenchError: where there is no such picture, or where the result lacks what it shows.
    """
    chosen = registry.load().find("picture", kind)
    if not issubclass(chosen, ExperimentPicture):
        raise StoreError(f"the picture {kind!r} is not drawn of one experiment; see: chaosbench list pictures")
    missing = sorted(chosen.needs - result.arrays.keys())
    if missing:
        raise StoreError(f"the picture {kind!r} needs {', '.join(missing)}, which this result does not have")
    drawn = chosen.model_validate({})
    arguments = drawn.arguments(in_memory(result), result.arrays)
    if arguments is None:
        raise StoreError(f"the picture {kind!r} has nothing to draw for this result")
    return drawn.figure(arguments)
