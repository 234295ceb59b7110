"""Changes between two states of a board: submissions, levels, and the place of the methods of new submissions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chaosbench.boards import lock, publish
from chaosbench.leaderboard.board import Ranking
from chaosbench.leaderboard.overall import Method, Overall, Standing, overall
from chaosbench.leaderboard.submissions import Submission


@dataclass(frozen=True)
class Placed:
    """A method that a new submission brings.

    Attributes:
        model, trainer: labels.
        submission: its folder's name.
        known: whether an earlier submission has runs of it, so that this one adds or repeats some.
        standing: in the ranking over systems; None where it has none.
        above, below: the methods next to it in that ranking; None: it is the first, or the last.
        alone: where there is no ranking over systems, the rank on each system and the number of methods there.
        why: the reason for having no rank; empty: it has one.
    """

    model: str
    trainer: str
    submission: str
    known: bool = False
    standing: Standing | None = None
    above: Method | None = None
    below: Method | None = None
    alone: tuple[tuple[str, int, int], ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Changes:
    """The changes of a board from one state to another.

    Attributes:
        demands: whether the demands differ.
        levels: name, earlier and later level of each submission that differs; "absent" stands for none.
        placed: the methods of new submissions, in the order of the ranking.
        methods: those of the ranking over systems, best first.
    """

    demands: bool
    levels: tuple[tuple[str, str, str], ...]
    placed: tuple[Placed, ...]
    methods: tuple[Method, ...]


def changes(earlier: Path | None, later: Path) -> Changes:
    """Return what changed from one state of a board to another.

    Args:
        earlier, later: folders of boards; None: the board is new.

    Raises:
        StoreError: where one cannot be read.
    """
    read = publish.all_of(later)
    after = publish.levels(later, read)
    present = publish.all_of(earlier) if earlier is not None else []
    before = publish.levels(earlier, present) if earlier is not None else {}
    ranking = publish.ranked(read, after)
    over_systems = overall(ranking)
    new = [one for one in read if one.folder.name not in before]
    return Changes(
        demands=earlier is not None and lock.read(earlier) != lock.read(later),
        levels=tuple(
            (name, before.get(name, "absent"), after.get(name, "absent"))
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ),
        placed=tuple(sorted(_placed(new, present, after, ranking, over_systems), key=_order)),
        methods=() if over_systems is None else tuple((one.model, one.trainer) for one in over_systems.standings),
    )


def _placed(
    new: Sequence[Submission],
    present: Sequence[Submission],
    levels: Mapping[str, str],
    ranking: Ranking,
    found: Overall | None,
) -> list[Placed]:
    known = {method for one in present for method in _methods(one)}
    return [
        replace(_place(method, one.folder.name, levels[one.folder.name], ranking, found), known=method in known)
        for one in new
        for method in _methods(one)
    ]


def _methods(submission: Submission) -> list[Method]:
    """Return the methods of a submission, each once."""
    runs = (run for each in submission.experiments for run in each.runs)
    return list(dict.fromkeys((run["model"], run["trainer"]) for run in runs))


def _place(method: Method, submission: str, level: str, ranking: Ranking, found: Overall | None) -> Placed:
    """Return the place of a method, or the reason why it has none."""
    if level in publish.UNRANKED:
        return Placed(*method, submission, why=f"its submission is {level}")
    if found is None:
        return Placed(*method, submission, alone=tuple(_alone(method, ranking)))
    order = [(one.model, one.trainer) for one in found.standings]
    if method not in order:
        lacks = next((one.boards for one in found.missing if (one.model, one.trainer) == method), ())
        return Placed(*method, submission, why=f"it lacks {len(lacks)} of {len(found.boards)} systems")
    at = order.index(method)
    above, below = (order[at - 1] if at else None), (order[at + 1] if at + 1 < len(order) else None)
    return Placed(*method, submission, standing=found.standings[at], above=above, below=below)


def _alone(method: Method, ranking: Ranking) -> list[tuple[str, int, int]]:
    return [
        (board.system, entry.rank, len(board.entries))
        for board in ranking.boards
        for entry in board.entries
        if (entry.model, entry.trainer) == method
    ]


def _order(placed: Placed) -> tuple[int, str, str]:
    return (placed.standing.rank if placed.standing is not None else 10**9, placed.model, placed.trainer)
