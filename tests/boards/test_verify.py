"""Verification by fresh seeds: honest claims hold, picked seeds are refuted, equal numbers are told."""

import numpy as np
from made_submissions import EXPERIMENTS, best, chosen, claimed, drawn

from chaosbench.boards.verify import LEVEL, compare

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


def _scaled(stored, factor):
    records = tuple({**row, "value": factor * row["value"]} if row["better"] else row for row in stored.records)
    return type(stored)(stored.folder, stored.identity, stored.experiment, stored.runs, records, stored.sources)
