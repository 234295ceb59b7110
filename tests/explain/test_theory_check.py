"""Theorems compared with measured rates."""

import re
from math import nan

import pytest
from stored_runs import BLOWN, CHAOS, CYCLE, REST, TORUS, StoredSeed
from texts import THEORY, has, numbers


@pytest.mark.parametrize(
    ("content", "words", "values"),
    [
        (
            CHAOS | {"loss_gradient_growth": 0.9},
            ["Theorem 2", "e^(lambda_1 T)", "101 % of lambda_1", "agree within"],
            ["0.880", "0.0300", "101", "0.900"],
        ),
        (REST, ["Theorem 1", "vanish", "agree within"], []),
        (TORUS, ["Theorem 3", "agree within"], ["0.00200", "0.00100"]),
        (BLOWN, ["bounded"], []),
    ],
)
def test_each_theorem_is_compared_with_the_rates_that_were_measured(paragraphs, content, words, values):
    text = paragraphs(content)[THEORY]
    assert has(text, *words)
    assert numbers(text) == values
    assert len(re.findall("Theorem", text)) == (content is not BLOWN)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gradient_growth": 1.4}, ["161 % of lambda_1", "DISAGREE"]),
        ({"gradient_growth_interval": 0.5}, ["undecided", "errors are too large"]),
        ({"returning_share": 0.4}, ["undecided", "different attractors"]),
        ({"gradient_growth": nan, "bounded_share": 0.7}, ["could not be measured", "undecided", "blew up"]),
    ],
)
def test_disagreement_and_undecided_agreement_are_explained(paragraphs, changes, words):
    text = paragraphs(CHAOS | changes)[THEORY]
    assert has(text, *words)
    assert not has(text, "agree within")


@pytest.mark.parametrize(
    ("initial", "words", "values"),
    [
        (CYCLE | {"period": 2.0}, ["2-cycle"], ["-0.310", "0.0200"]),
        (REST, ["fixed point"], ["-inf"]),
        (BLOWN, ["divergent", "blow up"], []),
    ],
)
def test_the_network_before_training_is_described(paragraphs, initial, words, values):
    before = paragraphs(StoredSeed(CHAOS, initial=initial))[THEORY].partition("Before training")[2]
    assert has(before, *words)
    assert numbers(before) == values
