"""Results ranked together with others, such as an unpublished model inside a published board."""

import logging
from collections.abc import Sequence
from pathlib import Path

from chaosbench.boards import lock, publish
from chaosbench.formats import counted
from chaosbench.leaderboard.board import Ranking
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.rank import rank

_LOGGER = logging.getLogger(__name__)


def ranked_together(results: Path, others: Sequence[Path] = (), *, every_file: bool = False) -> Ranking:
    """Rank results together with others.

    Of a published board, the submissions count that have a rank there. Beside a board, experiments on systems, data or
    evaluations that it does not have are left out with a warning: no method of the board could be ranked over them.

    Args:
        results: a results directory, or a board.
        others: more of them.
        every_file: check the files of results directories that are not read as well.
    """
    boards = [path for path in others if (path / lock.FILE).is_file()]
    own = publish.experiments_of(results, every_file=every_file)
    if boards:
        own = _demanded(own, [lock.read(path) for path in boards])
    theirs = [one for path in others for one in publish.experiments_of(path, every_file=every_file)]
    published = bool(boards) or (results / lock.FILE).is_file()
    return rank([*own, *theirs], failed_as_worst=published)


def _demanded(experiments: Sequence[Stored], locks: Sequence[lock.Lock]) -> list[Stored]:
    """Return the experiments on systems of the boards."""
    kept = [
        stored
        for stored in experiments
        if any(one.find(" ".join(stored.sources), stored.board.evaluation) is not None for one in locks)
    ]
    left = {stored.board for stored in experiments} - {stored.board for stored in kept}
    if left:
        names = ", ".join(sorted({key.system for key in left}))
        _LOGGER.warning(
            "%s left out, because the board has no such system, data or evaluation: %s",
            counted(len(experiments) - len(kept), "experiment"), names,
        )  # fmt: skip
    return kept
