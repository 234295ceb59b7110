"""Test whether a submission holds when others run it: fresh seeds against the claimed ones, over systems at once.

A submitter who keeps the best of more seeds than demanded cannot know the seeds that others draw. The claimed runs of
each method on each system are set against fresh ones, and the wins are added up: the exact test of the ranking over
systems, in all metrics together and in each alone, since a submitter may have picked by one of them. A claim is refuted
if the claimed runs are better than chance allows in one case of a hundred, all these tests together (Bonferroni).
Where the same seeds were run or scored again, each score has its counterpart, and the sign test takes their place.
"""

import math
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from chaosbench.assessment import scored_again
from chaosbench.boards.lock import Lock
from chaosbench.boards.suspicion import suspects
from chaosbench.errors import ChaosbenchError, StoreError
from chaosbench.execution import Published, alone, carry_on, missing
from chaosbench.experiment import Experiment
from chaosbench.labels import title
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import FINISHED, Stored, weights
from chaosbench.leaderboard.overall import metrics_of, runs_of
from chaosbench.leaderboard.rank import rank
from chaosbench.leaderboard.significance import sign_test
from chaosbench.leaderboard.submissions import Submission
from chaosbench.leaderboard.superiority import Pairing, on_these, outcomes
from chaosbench.loading import read_experiment
from chaosbench.provenance import of_machine
from chaosbench.run import build, prepare

LEVEL = 0.01  # of a wrong refutation of a submission
_METHOD = "claimed or fresh"
_LISTS = ("seeds", "compared", "suspected")  # fields of a verification


@dataclass(frozen=True)
class Verification:
    """The outcome of running a part of a submission again.

    Attributes:
        submission: its folder.
        level: "re-scored", "re-run" or "bitwise".
        holds: False if the claimed numbers are better than chance allows.
        p_value: probability of claimed runs that are so much better, if both are drawn alike, in the metric where they
            are most suspicious, times the number of tests.
        suspicious: that metric; "all metrics" for all together.
        advantage: probability that a claimed run beats a fresh one in it; 0.5 where both are drawn alike.
        identical: share of scores that are equal to the last digit.
        seeds: that were run.
        compared: titles of the experiments.
        suspected: the few runs that differ where almost all others are equal to the last digit, each with its numbers.
    """

    submission: str
    level: str
    holds: bool
    p_value: float
    suspicious: str
    advantage: float
    identical: float
    seeds: tuple[int, ...]
    compared: tuple[str, ...]
    suspected: tuple[str, ...] = ()

    def content(self, version: str) -> dict[str, Any]:
        """Return what is stored of it."""
        fields = {name: getattr(self, name) for name in ("submission", "level", "holds", "p_value")}
        fields |= {"suspicious": self.suspicious, "advantage": self.advantage}
        more = {"identical": self.identical, **{name: list(getattr(self, name)) for name in _LISTS}}
        return {**fields, **more, "date": datetime.now(UTC).date().isoformat(), "chaosbench": version}


def drawn(
    submission: Submission, lock: Lock, *, systems: int, methods: int | None, draw: random.Random
) -> list[Stored]:
    """Return experiments of a submission on systems that are drawn, with as many of its methods on each.

    Experiments without any score are left out, since nothing can be worse. Those whose seeds have equal scores are not:
    whoever copies the best seed to all others makes it look as if the method did not depend on it.

    Raises:
        StoreError: where none is left.
    """
    able = [stored for stored in submission.experiments if set(_scores(stored).values()) - {None}]
    boards: dict[str, list[Stored]] = {}
    for stored in able:
        if lock.find(" ".join(stored.sources), stored.board.evaluation) is not None:
            boards.setdefault(f"{stored.board}", []).append(stored)
    if not boards:
        raise StoreError(f"{submission.folder.name!r} has no experiment with a score, so none to run again")
    chosen = draw.sample(sorted(boards), min(systems, len(boards)))
    return [
        stored
        for board in chosen
        for stored in draw.sample(boards[board], min(methods or len(boards[board]), len(boards[board])))
    ]


def run_again(
    claimed: Sequence[Stored],
    seeds: Sequence[int] | None,
    results: Path,
    *,
    workers: int,
    say: Callable[[str], object],
) -> list[Stored]:
    """Run experiments with these seeds, or their own for None, and return what they give, in the same order.

    What the directory of results has already is not run again.
    """
    experiments = []
    for stored in claimed:
        experiment = read_experiment(stored)
        own = tuple(sorted(run["seed"] for run in stored.runs)) if seeds is None else tuple(seeds)
        experiments.append(experiment.replaced(seeds=own))
    store.prepare(results)
    todo = missing(experiments, store.read_all(results, may_be_empty=True))
    for event in carry_on(alone(todo), results, device="cpu", workers=workers):
        if isinstance(event, Published):
            say(f"ran again: {title(event.stored.runs[0])}")
    found = store.read_all(results)
    return [_pooled(experiment, found) for experiment in experiments]


def require_results(claimed: Sequence[Stored], fresh: Sequence[Stored]) -> None:
    """Check that nothing but the method decides: a run that this machine could not finish says nothing about a claim.

    Raises:
        ChaosbenchError: where fresh runs have no result, and all of the claimed ones of that experiment have one.
    """
    for one, other in zip(claimed, fresh, strict=True):
        lost = [run for run in other.runs if run["status"] not in FINISHED]
        if lost and all(run["status"] in FINISHED for run in one.runs):
            what = f"{title(one.runs[0])}: {len(lost)} of {len(other.runs)} fresh runs have no result here"
            raise ChaosbenchError(f"{what} ({lost[0]['status']}: {lost[0]['message']}), so that nothing is verified")


def compare(submission: str, claimed: Sequence[Stored], fresh: Sequence[Stored], *, own_seeds: bool) -> Verification:
    """Compare claimed with fresh runs of the same experiments.

    Args:
        submission: its folder's name.
        claimed, fresh: of the same experiments, in the same order.
        own_seeds: whether the fresh runs have the claimed seeds, so that equal numbers can be expected.
    """
    tests = (_by_seed if own_seeds else _by_wins)(claimed, fresh)
    p_values = {name: p_value for name, (p_value, _) in tests.items()}
    suspicious = min(p_values, key=p_values.__getitem__)
    p_value = min(1.0, p_values[suspicious] * len(p_values))
    identical = _identical(claimed, fresh)
    return Verification(
        submission=submission,
        level="bitwise" if own_seeds and identical == 1.0 else "re-run",
        holds=identical == 1.0 or p_value > LEVEL,
        p_value=p_value,
        suspicious=suspicious,
        advantage=tests[suspicious][1],
        identical=identical,
        seeds=tuple(sorted({run["seed"] for stored in fresh for run in stored.runs})),
        compared=tuple(title(stored.runs[0]) for stored in claimed),
        suspected=suspects(claimed, fresh) if own_seeds else (),
    )


def score_again(submission: Submission, results: Path) -> tuple[list[Stored], list[Stored]]:
    """Return experiments of a submission as claimed, and with scores that are computed from stored weights.

    Args:
        submission: the submission.
        results: a directory with the folders of its experiments, weights included.

    Raises:
        StoreError: where no folder has weights of one of its experiments.
    """
    by_digest = {stored.runs[0]["experiment"]: stored for stored in store.read_all(results)}
    claimed = [one for one in submission.experiments if one.runs[0]["experiment"] in by_digest]
    if not claimed:
        raise StoreError(f"{str(results)!r} has weights of no experiment of {submission.folder.name!r}")
    return claimed, [_scored(one, by_digest[one.runs[0]["experiment"]].folder) for one in claimed]


def _scored(claimed: Stored, folder: Path) -> Stored:
    """Return an experiment with scores from the weights in a folder, in the order of its seeds."""
    experiment = read_experiment(claimed)
    data = prepare([experiment], "cpu")
    model = build(experiment, data, experiment.seeds)
    try:
        model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights(folder).items()})
    except RuntimeError as error:
        raise StoreError(f"the weights in {str(folder)!r} do not fit {experiment.name}: {error}") from error
    records = [record.__dict__ for record in scored_again(experiment, model.eval(), data)]
    here = of_machine() | {"threads": str(torch.get_num_threads())}
    runs = tuple({**run, "provenance": {**run["provenance"], **here}} for run in claimed.runs)
    return replace(claimed, runs=runs, records=tuple(records))


def _pooled(experiment: Experiment, found: Sequence[Stored]) -> Stored:
    """Return the runs of an experiment's seeds, from whichever folders have them."""
    parts = [stored for stored in found if stored.identity == experiment.identity]
    if not parts:
        raise ChaosbenchError(f"{experiment.name} gave no result, so that its claim cannot be checked")
    runs = tuple(run for stored in parts for run in stored.runs if run["seed"] in experiment.seeds)
    records = tuple(row for stored in parts for row in stored.records if row["seed"] in experiment.seeds)
    return replace(parts[0], runs=runs, records=records)


def _by_wins(claimed: Sequence[Stored], fresh: Sequence[Stored]) -> dict[str, tuple[float, float]]:
    """Return p-value and advantage of claimed over fresh runs of other seeds, in all metrics together and in each."""
    tests: dict[str, list[Pairing]] = {}
    for one, other in zip(claimed, fresh, strict=True):
        single = _is_fixed(one) and _is_fixed(other)  # copies of one run each, which differ by rounding at most
        pair_of_runs = (_first_seed(one), _first_seed(other)) if single else (one, other)
        for name, pair in _pairings(*pair_of_runs).items():
            tests.setdefault(name, []).append(pair)
    return {
        name: (on_these(pairs).first, statistics.fmean(pair.probability for pair in pairs))
        for name, pairs in tests.items()
    }


def _by_seed(claimed: Sequence[Stored], fresh: Sequence[Stored]) -> dict[str, tuple[float, float]]:
    """Return p-value (sign test) and advantage of claimed scores over those of the same seeds, in each metric.

    Rounding on another machine makes scores better as often as worse; whoever edits them makes them better.
    """
    signs: dict[str, list[float]] = {}
    for one, other in zip(claimed, fresh, strict=True):
        lower = {row["name"]: row["better"] == "lower" for row in one.records if row["better"]}
        again = _scores(other)
        for (seed, name), value in _scores(one).items():
            if (seed, name) in again:
                costs = [_cost(score, lower=lower[name]) for score in (value, again[seed, name])]
                signs.setdefault(name, []).append(float(outcomes(costs, logarithmic=False)[0, 1] - 1))
    return {name: (sign_test(own), (1 + statistics.fmean(own)) / 2) for name, own in signs.items()}


def _cost(score: float | None, *, lower: bool) -> float:
    return math.inf if score is None else score if lower else -score


def _pairings(claimed: Stored, fresh: Stored) -> dict[str, Pairing]:
    """Return the wins of claimed over fresh runs, in all metrics together and in each alone."""
    ranking = rank([_named(claimed, "claimed", 0), _named(fresh, "fresh", 1)])
    board, names = ranking.boards[0], metrics_of(ranking, None)
    tests = {"all metrics": names, **{name: (name,) for name in names}}
    both = ((_METHOD, "claimed"), (_METHOD, "fresh"))
    return {test: runs_of(board, chosen, *both).pairing for test, chosen in tests.items()}


def _named(stored: Stored, label: str, number: int) -> Stored:
    """Return the runs under another name on the same board."""
    runs = tuple({**run, "model": _METHOD, "trainer": label, "system": "s", "data": "d"} for run in stored.runs)
    return replace(stored, runs=runs, identity=f"{stored.identity}-{number}", sources=("", ""))


def _identical(claimed: Sequence[Stored], fresh: Sequence[Stored]) -> float:
    """Return the share of claimed scores that the fresh runs of the same seeds have to the last digit; 0 for none."""
    equal = [
        value == other
        for one, again in zip(claimed, fresh, strict=True)
        for value, other in _matched(_scores(one), _scores(again))
    ]
    return sum(equal) / len(equal) if equal else 0.0


def _matched(one: dict[Any, Any], other: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
    return ((value, other[key]) for key, value in one.items() if key in other)


def _scores(stored: Stored) -> dict[tuple[int, str], float | None]:
    return {
        (row["seed"], row["name"]): row["value"] for row in stored.records if row["update"] is None and row["better"]
    }


def _first_seed(stored: Stored) -> Stored:
    """Return the run of the first seed alone."""
    seed = stored.runs[0]["seed"]
    return replace(stored, runs=stored.runs[:1], records=tuple(row for row in stored.records if row["seed"] == seed))


def _is_fixed(stored: Stored) -> bool:
    """Return True if all seeds have the same scores."""
    by_seed: dict[int, set[tuple[str, float | None]]] = {}
    for (seed, name), value in _scores(stored).items():
        by_seed.setdefault(seed, set()).add((name, value))
    return len({frozenset(values) for values in by_seed.values()}) <= 1
