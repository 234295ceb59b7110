"""Verification by fresh seeds: honest claims hold, picked seeds are refuted, equal numbers are told."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_submissions import EXPERIMENTS, LOCK, best, chosen, claimed, drawn

from chaosbench.boards.verify import LEVEL, compare, require_results
from chaosbench.boards.verify import drawn as draw_again
from chaosbench.errors import ChaosbenchError
from chaosbench.leaderboard.submissions import Submission

FRESH = tuple(range(101, 111))


def shares(make_claim, repeats: int) -> float:
    """Return how often a claim is refuted, over three systems with three methods each."""
    refuted = 0
    for number in range(repeats):
        generator = np.random.default_rng(1000 + number)
        claim, fresh = [], []
        for experiment in EXPERIMENTS * 3:
            claim.append(make_claim(experiment, generator))
            fresh.append(drawn(experiment.replaced(seeds=FRESH), generator))
        refuted += not compare("x", claim, fresh, own_seeds=False).holds
    return refuted / repeats


def test_honest_claims_are_rarely_refuted():
    assert shares(drawn, 20) <= LEVEL + 3 * np.sqrt(LEVEL / 20)


def test_the_best_five_of_ten_seeds_are_refuted():
    def picked(experiment, generator):
        ten = drawn(experiment.replaced(seeds=tuple(range(10))), generator)
        return chosen(ten, best(ten))

    assert shares(picked, 12) >= 0.8


def test_the_best_seed_that_was_copied_to_all_others_is_run_again_and_refuted():
    """Equal seeds look as if the method did not depend on them, so that such claims must not escape."""

    def copied(experiment, generator):
        five = drawn(experiment, generator)
        scores = {row["seed"]: row["value"] for row in five.records if row["name"] == "state_space_divergence"}
        return _copies(five, min(scores, key=scores.__getitem__))

    assert shares(copied, 12) >= 0.8
    handed_in = Submission(Path("x"), None, tuple(_copies(one, 0) for one in claimed()))
    assert len(draw_again(handed_in, LOCK, systems=3, methods=None, draw=random.Random(0))) == 3


def test_methods_that_do_not_depend_on_the_seed_hold_although_rounding_differs():
    """All copies of one run are one observation: fifteen copies that are better by rounding prove nothing."""
    claim = [_copies(one, 0) for one in claimed()]
    fresh = [_copies(one, 1) for one in claimed()]
    for better, worse in ((claim, fresh), (fresh, claim)):
        assert compare("x", better, worse, own_seeds=False).holds


def test_runs_that_this_machine_could_not_finish_are_no_evidence():
    first, *rest = claimed()
    runs = tuple(run | {"status": "oom", "message": "too little memory"} for run in first.runs[:2]) + first.runs[2:]
    with pytest.raises(ChaosbenchError, match=r"2 of 5.*too little memory"):
        require_results(claimed(), [replace(first, runs=runs), *rest])
    require_results([replace(first, runs=runs), *rest], [replace(first, runs=runs), *rest])


def test_the_same_numbers_are_bitwise_equal_and_hold():
    found = compare("x", claimed(), claimed(), own_seeds=True)
    assert (found.level, found.identical, found.holds, found.advantage) == ("bitwise", 1.0, True, 0.5)


def test_edited_scores_are_refuted_by_those_of_the_same_seeds():
    """Ten runs of fifteen, which fresh seeds could hardly tell from luck."""
    first, second, third = claimed()
    found = compare("x", [_scaled(first, 0.8), _scaled(second, 0.8), third], claimed(), own_seeds=True)
    assert (found.holds, found.level) == (False, "re-run")
    assert found.p_value == 0.5**10 * 3, "the sign test, in three metrics"
    worse = compare("x", [_scaled(first, 1.2), _scaled(second, 1.2), third], claimed(), own_seeds=True)
    assert worse.holds, "numbers that came out worse are no cheat"


def test_a_claim_that_is_better_on_every_run_is_refuted():
    generator = np.random.default_rng(0)
    fresh = [drawn(experiment.replaced(seeds=FRESH), generator) for experiment in EXPERIMENTS]
    better = [_scaled(one, 0.2) for one in claimed()]
    found = compare("x", better, fresh, own_seeds=False)
    assert not found.holds
    assert found.advantage > 0.8
    assert found.seeds == FRESH


def _copies(stored, seed):
    """Return an experiment in which all seeds have the scores of one."""
    own = [row for row in stored.records if row["seed"] == seed]
    seeds = [run["seed"] for run in stored.runs]
    return replace(stored, records=tuple({**row, "seed": seed} for seed in seeds for row in own))


def _scaled(stored, factor):
    records = tuple({**row, "value": factor * row["value"]} if row["better"] else row for row in stored.records)
    return type(stored)(stored.folder, stored.identity, stored.experiment, stored.runs, records, stored.sources)
