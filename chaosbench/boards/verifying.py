"""A verification from end to end: what is drawn, run or scored again, and what came out in words."""

import random
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaosbench.boards import lock
from chaosbench.boards.verify import LEVEL, Verification, compare, drawn, require_results, run_again, score_again
from chaosbench.leaderboard.submissions import Submission

_LARGEST = 2**31  # above every secret seed


@dataclass(frozen=True)
class Plan:
    """The part of a submission that is run again.

    Attributes:
        secret: fresh seeds; otherwise the claimed ones.
        systems, methods: how many are drawn; None: all methods.
        count: number of secret seeds.
        workers: number of processes.
    """

    secret: bool
    systems: int
    methods: int | None
    count: int
    workers: int


def by_runs(
    submission: Submission, board: Path, plan: Plan, results: Path | None, *, say: Callable[[str], object]
) -> Verification:
    """Run a part of a submission again and compare.

    Args:
        submission: what is checked.
        board: its board.
        plan: what is run.
        results: where runs are kept; the same draws are repeated for the same folder, so that an interrupted
            verification goes on. None: a folder that is removed.
        say: receives a line for each finished experiment.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = results or Path(temporary)
        draw = random.Random(_entropy(folder))
        claimed = drawn(submission, lock.read(board), systems=plan.systems, methods=plan.methods, draw=draw)
        seeds = sorted(draw.sample(range(1000, _LARGEST), plan.count)) if plan.secret else None
        fresh = run_again(claimed, seeds, folder, workers=plan.workers, say=say)
        require_results(claimed, fresh)
        return compare(submission.folder.name, claimed, fresh, own_seeds=not plan.secret)


def by_weights(submission: Submission, results: Path) -> Verification:
    """Score the stored weights of a submission again and compare."""
    claimed, again = score_again(submission, results)
    found = compare(submission.folder.name, claimed, again, own_seeds=True)
    return Verification(**{**found.__dict__, "level": "re-scored"})


def told(found: Verification) -> str:
    """Return what came out in a few sentences."""
    share = (
        f"A claimed run beats a fresh one in {100 * found.advantage:.0f} % of pairs, 50 % where both are alike, "
        f"in what is most suspicious ({found.suspicious.replace('_', ' ')})"
    )
    test = f"p = {found.p_value:.2g}; a claim is refuted at {LEVEL:g}"
    verdict = "The claims hold" if found.holds else "The claims do not hold"
    equal = f" {100 * found.identical:.0f} % of the scores are equal to the last digit." if found.identical else ""
    few = (
        " Almost all runs are equal to the last digit on this kind of machine, so that these few were perhaps edited: "
        f"{'; '.join(found.suspected)}."
        if found.suspected
        else ""
    )
    return f"{verdict} on {len(found.compared)} experiments ({found.level}). {share}; {test}.{equal}{few}"


def _entropy(folder: Path) -> int:
    """Return a secret number that belongs to a folder of results, drawn when it is first asked for."""
    path = folder / "secret.txt"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(str(secrets.randbits(128)), encoding="utf-8")
    return int(path.read_text(encoding="utf-8"))
