"""Whole explanations: the outcome, one-line summaries, and optional paragraphs."""

from dataclasses import replace
from math import nan

import pytest
from stored_runs import BLOWN, CHAOS, CYCLE, FREE, REST, StoredSeed, publish
from texts import DYNAMICS, PATH, THEORY, has, numbers

from chaosbench.data import DataSpec
from chaosbench.explain.explanation import brief, explain
from chaosbench.explain.seed_result import seed_results


def test_the_outcome_counts_seeds_and_names_the_median(paragraphs):
    seeds = [
        StoredSeed(divergence=0.7),
        StoredSeed(divergence=0.2),
        StoredSeed(divergence=None, status="diverged", message="it blew up."),
    ]
    text = paragraphs(*seeds)["outcome"]
    assert has(text, "2 ok", "1 diverged", "3 seeds", "Seed 0", "median", "state_space_divergence = 0.700", "0.0500")
    last = paragraphs(*seeds, seed=2)["outcome"]
    assert has(last, "Seed 2", "undefined", "diverged: it blew up.")
    assert not last.endswith("..")
    assert has(paragraphs(StoredSeed(message="too good"))["outcome"], "1 seed", "Warning: too good.")
    assert has(paragraphs(*seeds[:2])["outcome"], "Seed 1", "the better")


@pytest.mark.parametrize(
    ("seed", "words", "values"),
    [
        (StoredSeed(CHAOS | {"clipped_share": 0.63}), ["ok; chaotic", "clipped in 63 %"], ["97", "101", "63"]),
        (StoredSeed(REST), ["ok; at a fixed point", "instead of chaos"], []),
        (StoredSeed(CYCLE), ["ok; on a 4-cycle", "instead of chaos"], ["4"]),
        (StoredSeed(CHAOS | {"gradient_growth": 1.4}), ["chaotic", "disagree", "transient"], ["97", "161"]),
        (StoredSeed(CHAOS | {"gradient_growth": nan}), ["ok; chaotic"], ["97"]),
        (
            StoredSeed(BLOWN, status="diverged", message="the free run is not finite"),
            ["diverged: the free run is not finite", "clipped in 63 %", "learning rate"],
            ["63"],
        ),
        (StoredSeed({}, status="failed", message="ValueError: no such\nnumber."), ["failed: ValueError: no such"], []),
        (StoredSeed({}), ["ok; not diagnosed"], []),
    ],
)
def test_a_run_is_summarised_in_one_line(tmp_path, seed, words, values):
    (result,) = seed_results(publish(tmp_path, seed))
    line = brief(result)
    assert has(line, *words)
    assert numbers(line) == values
    assert "\n" not in line
    assert not line.endswith(".")


@pytest.mark.parametrize(
    ("seed", "words"),
    [
        (StoredSeed({}), ["another directory"]),
        (StoredSeed({}, status="failed", message="out of luck"), ["again"]),
        (StoredSeed({}, status="skipped", message="it cannot work"), ["skipped"]),
    ],
)
def test_the_explanation_of_a_run_without_a_diagnosis_gives_the_reason_or_a_remedy(paragraphs, seed, words):
    texts = paragraphs(seed)
    assert list(texts) == ["outcome", "diagnosis"]
    assert has(texts["diagnosis"], *words)
    assert has(texts["outcome"], f"1 {seed.status}", "Seed 0", f"{seed.message}.")


def test_paragraphs_without_numbers_are_left_out(paragraphs):
    assert list(paragraphs(CHAOS)) == ["outcome", PATH, DYNAMICS, THEORY]
    costs = {"cost_share": 0.0004, "diagnosis_seconds": 2.0}
    text = paragraphs(StoredSeed(CHAOS | costs, initial={"diagnosis_seconds": 1.0}))["cost"]
    assert has(text, "less than 0.1 %", "3.0 s")


def test_other_seeds_have_a_line_each_and_do_not_change_the_paragraphs(tmp_path):
    seeds = [
        StoredSeed(CHAOS | FREE, divergence=0.2),
        StoredSeed(REST, divergence=0.1),
        StoredSeed(BLOWN, divergence=None),
    ]
    whole = explain(publish(tmp_path / "a", *seeds), 0)
    assert [line.partition(":")[0] for line in whole.others] == ["seed 1", "seed 2"]
    changed = explain(publish(tmp_path / "b", seeds[0], *(replace(seed, numbers={}) for seed in seeds[1:])), 0)
    assert whole.paragraphs[1:] == changed.paragraphs[1:]
    assert whole.title == "bptt on lstm, lorenz63"


def test_data_that_are_not_the_default_are_in_the_title(tmp_path):
    title = explain(publish(tmp_path, StoredSeed(), data=DataSpec(noise=0.1))).title
    assert title == "bptt on lstm, lorenz63, data(noise=0.1)"
