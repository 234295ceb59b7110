"""A seed that was run several times counts once."""

from dataclasses import replace

from made_submissions import claimed

from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.once import counted_once
from chaosbench.leaderboard.rank import rank


def with_status(stored: Stored, status: str, seeds: set[int]) -> Stored:
    """Return an experiment in which some seeds have another status and no score."""
    runs = tuple(run | {"status": status} if run["seed"] in seeds else run for run in stored.runs)
    return replace(stored, runs=runs, records=tuple(row for row in stored.records if row["seed"] not in seeds))


def only(stored: Stored, seeds: set[int]) -> Stored:
    """Return some seeds of an experiment."""
    runs, records = (tuple(row for row in rows if row["seed"] in seeds) for rows in (stored.runs, stored.records))
    return replace(stored, runs=runs, records=records)


def test_the_first_result_of_a_seed_counts():
    first, second = claimed()[0], claimed(seed=1)[0]
    assert counted_once([first, second]) == [first]
    assert counted_once([second, first]) == [second]
    assert counted_once([only(first, {0, 1}), second]) == [only(first, {0, 1}), only(second, {2, 3, 4})]


def test_a_result_counts_before_a_failure_of_the_same_seed():
    first, second = claimed()[0], claimed(seed=1)[0]
    failed = with_status(first, "oom", {3})
    assert counted_once([failed, only(second, {3})]) == [only(failed, {0, 1, 2, 4}), only(second, {3})]


def test_other_methods_and_systems_count_beside_each_other():
    assert counted_once(claimed()) == claimed()


def test_a_seed_without_a_result_is_worst_on_a_published_board():
    """Whoever calls the two worst of five seeds failed would else have a better median."""
    whole = claimed()[0]
    scores = {row["seed"]: row["value"] for row in whole.records if row["name"] == "state_space_divergence"}
    worst = set(sorted(scores, key=scores.__getitem__)[-2:])
    failed = with_status(whole, "failed", worst)

    def median(stored: Stored, **settings: bool) -> float:
        return rank([stored], **settings).boards[0].entries[0].scores[0].median

    assert median(failed) < median(whole)
    assert median(failed, failed_as_worst=True) == median(whole), "the median of five is the third best either way"
