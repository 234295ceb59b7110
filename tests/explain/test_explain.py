"""Explanations of stored runs whose numbers are chosen, checked by numbers and key words."""

import re
from dataclasses import replace
from itertools import count
from math import inf, nan

import pytest
from stored_runs import BLOWN, CHAOS, CYCLE, FREE, LORENZ, REST, TORUS, StoredSeed, publish

from chaosbench.data import DataSpec
from chaosbench.explain.explanation import brief, explain
from chaosbench.explain.seed_result import seed_results
from chaosbench.trainers import (
    BPTT,
    DySLIM,
    GeneralizedTeacherForcing,
    JacobianMatching,
    MultipleShooting,
    Ridge,
    ScheduledSampling,
    SparseTeacherForcing,
    TruncatedBPTT,
    WindowedBPTT,
)

FORCED = FREE | {"chain_length": 77.0, "chain_forced": 1.0, "chain_ends": 1.0, "chain_growth": 0.7}
RANDOM = FORCED | {"forcing_probability": 0.2, "chain_length": 4.81, "chain_longest": 23.0, "chain_growth": 0.06}
PATH, TRAINING, DYNAMICS, THEORY = "gradients in training", "training", "learned dynamics", "theory"
NUMBER = r"-?(?:\d+(?:\.\d+)?(?:e[-+]\d+)?|inf)"


@pytest.fixture
def paragraphs(tmp_path):
    """The paragraphs about one seed of a stored experiment, by heading."""
    folders = count()

    def read(*seeds, seed=None, **arguments):
        stored = [StoredSeed(content) if isinstance(content, dict) else content for content in seeds]
        return dict(explain(publish(tmp_path / str(next(folders)), *stored, **arguments), seed).paragraphs)

    return read


def numbers(text):
    """The numbers of a text in order, without those that are part of a name."""
    plain = re.sub(r"lambda_1|Theorem \d|1 / system time|z = 0|ln\(1 - alpha\)|\b\d+-cycle", "", text)
    return re.findall(NUMBER, plain)


def has(text, *words):
    """Whether all words are in the text, whatever their case."""
    return all(word.lower() in text.lower() for word in words)


def test_free_gradients_are_compared_with_the_growth_at_the_datas_exponent(paragraphs):
    """200 steps of 0.01 at an exponent of 0.9 are 1.8 Lyapunov times."""
    text = paragraphs(CHAOS | FREE)[PATH]
    assert numbers(text) == ["200", "1.80", "1.80", "1.90"]
    assert has(text, "window", "Lyapunov times", "e^1.80", "e^1.90")
    assert not has(text, "forced")
    assert not has(text, "cut")


def test_growth_beyond_the_networks_own_exponent_is_explained_by_jacobians_that_stretch(paragraphs):
    steep = FREE | {"chain_growth": 3.9, "jacobian_norm": 1.6}
    text = paragraphs(CHAOS | steep)[PATH]
    assert numbers(text) == ["200", "1.80", "1.80", "3.90", "1.74", "1.60"]
    assert has(text, "e^1.74", "norm 1.60", "stretch")


def test_jacobians_that_contract_do_not_stretch(paragraphs):
    for changes in ({"chain_growth": -3.0, "jacobian_norm": 1.2}, {"chain_growth": 2.1, "jacobian_norm": 0.9}):
        text = paragraphs(REST | FREE | changes | {"chain_growth_bound": -9.0})[PATH]
        assert not has(text, "stretch")
        assert has(text, "e^-9.00")


def test_forcing_of_the_whole_state_ends_products(paragraphs):
    """77 steps of 0.01 at 0.9 are 0.693 Lyapunov times."""
    text = paragraphs(CHAOS | FORCED, trainer=SparseTeacherForcing(interval=77))[PATH]
    assert numbers(text) == ["200", "1.80", "77", "0.693", "0.693", "0.700", "200", "1.90"]
    assert has(text, "forced every 77 steps", "ends every product", "e^0.693", "e^0.700", "e^1.90")


def test_forcing_of_a_part_of_the_state_lets_products_continue(paragraphs):
    text = paragraphs(CHAOS | FORCED | {"chain_ends": 0.0}, trainer=SparseTeacherForcing(interval=77))[PATH]
    assert has(text, "forced every 77 steps (0.693 Lyapunov times)", "part", "continue")
    assert not has(text, "ends every product")


def test_a_random_interval_has_a_spread(paragraphs):
    spread = SparseTeacherForcing(spread=5)
    assert has(paragraphs(CHAOS | FORCED, trainer=spread)[PATH], "every 77 ± 5 steps (0.693 Lyapunov times)")
    short = paragraphs(CHAOS | FORCED | {"chain_length": 2.0}, trainer=spread)[PATH]
    assert has(short, "on average every 2 steps")
    assert "±" not in short


def test_random_forcing_is_described_by_its_mean(paragraphs):
    """4.81 steps of 0.01 at 0.9 are 0.0433 Lyapunov times."""
    content = CHAOS | RANDOM
    del content["window_growth"]
    text = paragraphs(content, trainer=ScheduledSampling())[PATH]
    assert numbers(text) == ["200", "1.80", "0.200", "4.81", "0.0433", "23", "0.0433", "0.0600"]
    assert has(text, "probability 0.200", "every 4.81 steps", "23 steps", "on average", "ends every product")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"forcing_probability": 0.0, "chain_forced": 0.0}, "at no step"),
        ({"forcing_probability": 1.0}, "at every step"),
        ({"forcing_probability": 3e-5, "chain_forced": 0.0}, "at no step of"),
    ],
)
def test_random_forcing_that_always_or_never_happens_has_no_mean_interval(paragraphs, changes, words):
    text = paragraphs(CHAOS | RANDOM | changes, trainer=ScheduledSampling())[PATH]
    assert has(text, words)
    assert not has(text, "on average every")


def test_a_method_of_single_steps_has_no_window(paragraphs):
    single = CHAOS | FREE | {"path_length": 1.0, "chain_length": 1.0, "chain_growth": 0.5}
    text = paragraphs(single, trainer=JacobianMatching())[PATH]
    assert has(text, "single step", "e^0.500")
    assert not has(text, "window")


def test_a_window_shorter_than_the_setting_is_given_with_it(paragraphs):
    text = paragraphs(CHAOS | FREE | {"path_length": 3.0, "chain_length": 3.0}, trainer=DySLIM())[PATH]
    assert numbers(text)[:3] == ["3", "10", "0.0270"]
    assert has(text, "sequence_length")


def test_a_cut_of_the_gradient_limits_products(paragraphs):
    cut = FREE | {"chain_length": 30.0, "chain_cut": 1.0, "chain_ends": 1.0, "chain_growth": 0.3}
    text = paragraphs(CHAOS | cut, trainer=TruncatedBPTT())[PATH]
    assert has(text, "cut every 30 steps (0.270 Lyapunov times)", "longer")
    assert not has(text, "forced")


def test_the_state_after_a_cut_is_described(paragraphs):
    cut = CHAOS | FREE | {"chain_length": 30.0, "chain_cut": 1.0, "chain_ends": 1.0, "chain_growth": 0.3}
    zero = paragraphs(cut | {"chain_blank": 1.0}, trainer=WindowedBPTT())[PATH]
    learned = paragraphs(cut | {"chain_learned": 1.0}, trainer=MultipleShooting())[PATH]
    continued = paragraphs(cut, trainer=TruncatedBPTT())[PATH]
    windows = paragraphs(CHAOS | FREE | {"chain_blank": 1.0}, trainer=WindowedBPTT(window=200))[PATH]
    assert has(zero, "from z = 0")
    assert has(windows, "from z = 0")
    assert has(learned, "learned")
    assert not has(learned, "z = 0")
    assert not any(has(continued, words) for words in ("z = 0", "learned"))


def test_windows_longer_than_the_products_followed_are_marked(paragraphs):
    text = paragraphs(CHAOS | FREE | {"chain_length": 1.0})[PATH]
    assert has(text, "200 steps", "1 step of")


def test_generalised_forcing_is_described_by_alpha_and_the_exponent_it_leaves(paragraphs):
    """0.87 + ln(1 - 0.2) / 0.01 = -21.4."""
    share = FREE | {"forcing_share": 0.2, "forced_exponent_expected": -21.44, "forced_exponent_1": -20.9}
    text = paragraphs(CHAOS | share, trainer=GeneralizedTeacherForcing())[PATH]
    assert numbers(text) == ["200", "1.80", "0.200", "-21.4", "-20.9"]
    assert has(text, "alpha = 0.200", "lambda_1 + ln(1 - alpha) / dt", "[1 / system time]")


HEALTH = {
    "gradient_norm_q05": 0.5, "gradient_norm_median": 2.5, "gradient_norm_q95": 30.0, "clipped_share": 0.63,
    "nonfinite_share": 0.004, "loss_first": 1.2, "loss_last": 0.05, "loss_spikes": 1.0,
    "updates_per_second": 100.0, "peak_memory": 350.0,
}  # fmt: skip


def test_training_is_summarised_in_numbers(paragraphs):
    text = paragraphs(CHAOS | HEALTH, trainer=BPTT(clip_norm=0.1))[TRAINING]
    expected = ["2.50", "90", "0.500", "30.0", "0.1", "63", "0.4", "1.20", "0.0500", "1", "100", "12", "350"]
    assert sorted(numbers(text)) == sorted(expected)
    assert has(text, "norm", "before clipping", "63 % of", "0.4 % of", "finite", "1 spike", "12 s", "350 MiB")
    assert has(paragraphs(CHAOS | HEALTH | {"loss_spikes": 0.0})[TRAINING], "no spike")
    assert has(paragraphs(CHAOS | HEALTH | {"loss_spikes": 2.0})[TRAINING], "2 spikes")


@pytest.mark.parametrize(
    ("shares", "trainer", "clipping"),
    [
        ({}, BPTT(clip_norm=None), []),
        ({"clipped_entries_share": 0.12}, BPTT(clip_norm=None, clip_value=5.0), ["5", "12"]),
        ({"clipped_entries_share": 0.12, "clipped_share": 0.63}, BPTT(clip_value=5.0), ["5", "12", "1", "63"]),
    ],
)
def test_clipping_of_entries_and_of_norms_is_reported_with_thresholds(paragraphs, shares, trainer, clipping):
    norms = {"gradient_norm_q05": 0.5, "gradient_norm_median": 2.5, "gradient_norm_q95": 30.0}
    text = paragraphs(CHAOS | norms | shares, trainer=trainer)[TRAINING]
    first, _, rest = text.partition(". ")
    assert sorted(numbers(first)) == sorted(["2.50", "90", "0.500", "30.0"])
    assert sorted(numbers(rest)) == sorted(clipping)
    assert has(text, "clip") is bool(clipping)
    assert has(text, "entries") is ("clipped_entries_share" in shares)


def test_a_closed_form_fit_has_no_gradients(paragraphs):
    fit = CHAOS | {"loss_first": 0.1, "loss_last": 0.1, "gradient_norm_median": 0.0}
    texts = paragraphs(fit, trainer=Ridge(), updates=1)
    assert has(texts[PATH], "no gradients")
    assert numbers(texts[PATH]) == []
    assert numbers(texts[TRAINING]) == ["0.100"]
    assert not has(texts[TRAINING], "norm")


def test_exponents_are_compared_by_their_ratio(paragraphs):
    """0.87 / 0.906 = 0.960; -18.1 / -14.6 = 1.24; -7.3 / -14.6 = 0.5; -89 / -14.6 = 6.10."""
    truth = LORENZ | {"lyapunov_exponent_1": 0.906, "lyapunov_exponent_3": -14.6}

    def third(value):
        exponents = {"lyapunov_exponent_2": 0.004, "lyapunov_exponent_3": value}
        return paragraphs(CHAOS | exponents, truth=truth)[DYNAMICS]

    text = third(-18.1)
    assert numbers(text) == ["0.870", "0.0200", "96", "0.906", "0.00400", "0", "24", "-18.1", "-14.6"]
    assert has(text, "chaotic", "0.870 ± 0.0200", "96 % of", "second exponent", "third exponent", "24 % too negative")
    assert has(third(-7.3), "50 % less negative", "-7.30", "-14.6")
    assert has(third(-89.0), "6.10 times", "-89.0", "-14.6")
    opposite = third(2.0).partition("third")[2]
    assert numbers(opposite) == ["2.00", "-14.6"], "a ratio of exponents of different sign means nothing"


@pytest.mark.parametrize(
    ("content", "words", "values"),
    [
        (REST, ["fixed point", "the data are chaotic"], ["-inf", "0.900"]),
        (CYCLE, ["4-cycle", "the data are chaotic"], ["-0.310", "0.0200", "0.900"]),
        (CYCLE | {"period": 0.0, "returning_share": 0.0}, ["a fixed point or a cycle"], ["-0.310", "0.0200", "0.900"]),
        (TORUS, ["quasi-periodic", "zero", "the data are chaotic"], ["0.00300", "0.00100", "0.900"]),
        (BLOWN, ["divergent", "blow up"], []),
        (BLOWN | {"bounded_share": 0.2}, ["divergent", "80 % of", "blow up"], ["80"]),
        (CHAOS | {"bounded_share": 0.75}, ["chaotic", "25 % of", "blow up"], ["0.870", "0.0200", "97", "0.900", "25"]),
    ],
)
def test_each_regime_is_described(paragraphs, content, words, values):
    text = paragraphs(content)[DYNAMICS]
    assert has(text, "network is", *words)
    assert numbers(text) == values


def test_data_that_are_not_chaotic_have_no_lyapunov_time(paragraphs):
    texts = paragraphs(TORUS | FREE, truth={"lyapunov_exponent_1": 0.0})
    assert numbers(texts[PATH]) == ["200", "1.90"]
    assert not has(texts[PATH], "Lyapunov times")
    assert has(texts[DYNAMICS], "the data are not chaotic either")
    chaotic = paragraphs(CHAOS, truth={"lyapunov_exponent_1": 0.0}, trainer=BPTT(clip_norm=2.0))
    assert has(chaotic[DYNAMICS], "the data are not")
    assert has(chaotic["suspects"], "chaos", "data do not have")


def test_data_whose_exponent_is_not_known_are_not_mentioned(paragraphs):
    texts = paragraphs(CHAOS | FREE, truth={})
    assert numbers(texts[PATH]) == ["200", "1.90"]
    assert numbers(texts[DYNAMICS]) == ["0.870", "0.0200"]
    assert not has(texts[DYNAMICS], "the data")


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
def test_disagreement_and_doubt_have_their_reason(paragraphs, changes, words):
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


def test_gradients_vanish_at_rest_but_are_unknown_for_a_network_that_blows_up(paragraphs):
    assert has(paragraphs(BLOWN | FREE | {"chain_growth": nan})[PATH], "could not be measured")
    assert has(paragraphs(REST | FREE | {"chain_growth": -inf})[PATH], "vanish")


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
def test_a_run_without_a_diagnosis_says_what_to_do(paragraphs, seed, words):
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
