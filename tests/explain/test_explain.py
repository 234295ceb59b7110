from dataclasses import replace
from itertools import count
from math import nan

import pytest
from stored_runs import BLOWN, CHAOS, CYCLE, FREE, LORENZ, REST, TORUS, publish
from stored_runs import StoredSeed as Told

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
PATH, TRAINED, LEARNED, THEORY = "what gradients pass through", "how training went", "what was learned", "theory"


@pytest.fixture
def told(tmp_path):
    """The paragraphs on one seed of an experiment, by heading."""
    folders = count()

    def tell(*seeds, seed=None, **arguments):
        numbered = [Told(one) if isinstance(one, dict) else one for one in seeds]
        return dict(explain(publish(tmp_path / str(next(folders)), *numbered, **arguments), seed).paragraphs)

    return tell


def test_free_gradients_are_told_beside_what_the_data_make_expected(told):
    """200 steps of 0.01 at an exponent of 0.9 are 1.8 Lyapunov times."""
    assert told(CHAOS | FREE)[PATH] == (
        "Your window is 200 steps, 1.80 Lyapunov times of the data. "
        "At the data's exponent expect gradients to grow by e^1.80; measured e^1.90."
    )


def test_growth_beyond_the_networks_own_exponent_is_put_down_to_jacobians_that_stretch(told):
    steep = FREE | {"chain_growth": 3.9, "jacobian_norm": 1.6}
    assert "own exponent makes of it (e^1.74): over short times Jacobians of norm 1.60" in told(CHAOS | steep)[PATH]


def test_jacobians_that_contract_are_not_said_to_stretch(told):
    for changes in ({"chain_growth": -3.0, "jacobian_norm": 1.2}, {"chain_growth": 2.1, "jacobian_norm": 0.9}):
        text = told(REST | FREE | changes | {"chain_growth_bound": -9.0})[PATH]
        assert "stretch" not in text
        assert "(e^-9.00): along training data" in text


def test_forcing_of_the_whole_state_ends_products(told):
    """77 steps of 0.01 at 0.9 are 0.693 Lyapunov times."""
    assert told(CHAOS | FORCED, trainer=SparseTeacherForcing(interval=77))[PATH] == (
        "Your window is 200 steps, 1.80 Lyapunov times of the data. "
        "The state is forced every 77 steps (0.693 Lyapunov times), which ends every product of Jacobians there. "
        "At the data's exponent expect gradients to grow by e^0.693; measured e^0.700. "
        "Over 200 steps, forcing and all, they change by e^1.90."
    )


def test_forcing_of_a_part_lets_products_go_on(told):
    text = told(CHAOS | FORCED | {"chain_ends": 0.0}, trainer=SparseTeacherForcing(interval=77))[PATH]
    assert "forced every 77 steps (0.693 Lyapunov times), in part: products go on." in text


def test_an_interval_drawn_at_random_is_told_with_its_spread(told):
    spread = SparseTeacherForcing(spread=5)
    assert (
        "The state is forced every 77 ± 5 steps (0.693 Lyapunov times), which"
        in told(CHAOS | FORCED, trainer=spread)[PATH]
    )
    short = told(CHAOS | FORCED | {"chain_length": 2.0}, trainer=spread)[PATH]
    assert "The state is forced on average every 2 steps" in short


TOSSED = FORCED | {"forcing_probability": 0.2, "chain_length": 4.81, "chain_longest": 23.0, "chain_growth": 0.06}


def test_forcing_by_the_toss_of_a_coin_is_told_in_the_mean(told):
    """4.81 steps of 0.01 at 0.9 are 0.0433 Lyapunov times."""
    numbers = CHAOS | TOSSED
    del numbers["window_growth"]
    assert told(numbers, trainer=ScheduledSampling())[PATH] == (
        "Your window is 200 steps, 1.80 Lyapunov times of the data. "
        "At the end of training a step was forced with probability 0.200: along the windows followed on average every "
        "4.81 steps (0.0433 Lyapunov times), which ends every product of Jacobians there; the longest stretch was of "
        "23 steps. Between forcings, on average: at the data's exponent expect gradients to grow by e^0.0433; measured "
        "e^0.0600."
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"forcing_probability": 0.0, "chain_forced": 0.0}, "the state was forced at no step."),
        ({"forcing_probability": 1.0}, "the state was forced at every step."),
        ({"forcing_probability": 3e-5, "chain_forced": 0.0}, "none was along the windows followed."),
    ],
)
def test_tosses_that_always_or_never_force_are_told_as_such(told, changes, sentence):
    text = told(CHAOS | TOSSED | changes, trainer=ScheduledSampling())[PATH]
    assert sentence in text
    assert "on average every" not in text


def test_a_method_of_single_steps_is_not_said_to_have_a_window(told):
    single = CHAOS | FREE | {"path_length": 1.0, "chain_length": 1.0, "chain_growth": 0.5}
    text = told(single, trainer=JacobianMatching())[PATH]
    assert text.startswith("Gradients pass a single step of the network. At the data's exponent")
    assert "window" not in text


def test_a_window_shorter_than_what_was_asked_for_is_told_beside_it(told):
    text = told(CHAOS | FREE | {"path_length": 3.0, "chain_length": 3.0}, trainer=DySLIM())[PATH]
    assert text.startswith("Your window is 3 steps of the 10 of sequence_length, 0.0270 Lyapunov times of the data. At")


def test_a_cut_of_the_gradient_is_told_as_one(told):
    cut = FREE | {"chain_length": 30.0, "chain_cut": 1.0, "chain_ends": 1.0, "chain_growth": 0.3}
    text = told(CHAOS | cut, trainer=TruncatedBPTT())[PATH]
    assert (
        "The gradient is cut every 30 steps (0.270 Lyapunov times), so that no product of Jacobians is longer." in text
    )
    assert "forced" not in text


def test_what_the_state_is_after_a_cut_is_told(told):
    cut = CHAOS | FREE | {"chain_length": 30.0, "chain_cut": 1.0, "chain_ends": 1.0, "chain_growth": 0.3}
    blank = told(cut | {"chain_blank": 1.0}, trainer=WindowedBPTT())[PATH]
    assert "so that no product of Jacobians is longer, and the state begins anew from z = 0." in blank
    learned = told(cut | {"chain_learned": 1.0}, trainer=MultipleShooting())[PATH]
    assert "longer; there begins a state learned beside the weights" in learned
    assert "begin" not in told(cut, trainer=TruncatedBPTT())[PATH]
    assert "It begins from z = 0" in told(CHAOS | FREE | {"chain_blank": 1.0}, trainer=WindowedBPTT(window=200))[PATH]


def test_windows_longer_than_what_was_followed_say_so(told):
    assert "Gradients were followed over 1 step of it." in told(CHAOS | FREE | {"chain_length": 1.0})[PATH]


def test_generalised_forcing_is_told_with_the_exponent_it_leaves(told):
    """0.87 + ln(1 - 0.2) / 0.01 = -21.4."""
    share = FREE | {"forcing_share": 0.2, "forced_exponent_expected": -21.44, "forced_exponent_1": -20.9}
    assert told(CHAOS | share, trainer=GeneralizedTeacherForcing())[PATH] == (
        "Your window is 200 steps, 1.80 Lyapunov times of the data. "
        "At every step the state is drawn towards the data by alpha = 0.200. "
        "That makes of lambda_1 a forced exponent lambda_1 + ln(1 - alpha) / dt = -21.4; "
        "along training data -20.9 was measured [1 / system time]."
    )


def test_training_is_told_in_numbers(told):
    health = {
        "gradient_norm_q05": 0.5, "gradient_norm_median": 2.5, "gradient_norm_q95": 30.0, "clipped_share": 0.63,
        "nonfinite_share": 0.004, "loss_first": 1.2, "loss_last": 0.05, "loss_spikes": 1.0,
        "updates_per_second": 100.0, "peak_memory": 350.0,
    }  # fmt: skip
    assert told(CHAOS | health, trainer=BPTT(clip_norm=0.1))[TRAINED] == (
        "Gradient norms before clipping: 2.50 in the median, 90 % from 0.500 to 30.0. Clipped at 0.1 in 63 % of "
        "updates. In 0.4 % of updates the loss or its gradient was not finite. The loss went from 1.20 to 0.0500 with "
        "1 spike. 100 updates a second for all seeds at once, 12 s for each seed, 350 MiB at the most."
    )
    assert "with no spike." in told(CHAOS | health | {"loss_spikes": 0.0})[TRAINED]
    assert "with 2 spikes." in told(CHAOS | health | {"loss_spikes": 2.0})[TRAINED]


@pytest.mark.parametrize(
    ("shares", "trainer", "text"),
    [
        ({}, BPTT(clip_norm=None), "Gradient norms: 2.50 in the median, 90 % from 0.500 to 30.0."),
        (
            {"clipped_entries_share": 0.12},
            BPTT(clip_norm=None, clip_value=5.0),
            "Gradient norms before clipping: 2.50 in the median, 90 % from 0.500 to 30.0. Entries clipped at 5 in 12 % "
            "of updates.",
        ),
        (
            {"clipped_entries_share": 0.12, "clipped_share": 0.63},
            BPTT(clip_value=5.0),
            "Gradient norms before clipping: 2.50 in the median, 90 % from 0.500 to 30.0. Entries clipped at 5 in 12 % "
            "of updates. Norms of what was left clipped at 1 in 63 % of updates.",
        ),
    ],
)
def test_clipping_is_told_as_it_was_done(told, shares, trainer, text):
    norms = {"gradient_norm_q05": 0.5, "gradient_norm_median": 2.5, "gradient_norm_q95": 30.0}
    assert told(CHAOS | norms | shares, trainer=trainer)[TRAINED] == text


def test_a_trainer_without_gradients_is_not_said_to_have_any(told):
    paragraphs = told(
        CHAOS | {"loss_first": 0.1, "loss_last": 0.1, "gradient_norm_median": 0.0}, trainer=Ridge(), updates=1
    )
    assert paragraphs[PATH] == "This trainer tells of no gradients through time."
    assert paragraphs[TRAINED] == "Trained in one go, to a loss of 0.100."


def test_exponents_are_told_by_how_much_they_are_off(told):
    """0.87 / 0.906 = 0.960; -18.1 / -14.6 = 1.24; -7.3 / -14.6 = 0.5; -89 / -14.6 = 6.10."""
    truth = LORENZ | {"lyapunov_exponent_1": 0.906, "lyapunov_exponent_3": -14.6}

    def third(value):
        return told(CHAOS | {"lyapunov_exponent_2": 0.004, "lyapunov_exponent_3": value}, truth=truth)[LEARNED]

    assert third(-18.1) == (
        "The trained network is chaotic, with lambda_1 = 0.870 ± 0.0200 [1 / system time], 96 % of the data's 0.906. "
        "The second exponent is 0.00400, the data's 0. "
        "The third exponent is 24 % too negative (-18.1 in place of -14.6)."
    )
    assert "The third exponent is 50 % less negative than it should be (-7.30 in place of -14.6)." in third(-7.3)
    assert "The third exponent is 6.10 times the data's (-89.0 in place of -14.6)." in third(-89.0)
    assert "The third exponent is 2.00 where the data's is -14.6." in third(2.0)


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        (REST, "at rest at a fixed point, with lambda_1 = -inf [1 / system time]; the data are chaotic, with 0.900."),
        (CYCLE, "on a 4-cycle, with lambda_1 = -0.310 ± 0.0200 [1 / system time]; the data are chaotic, with 0.900."),
        (CYCLE | {"period": 0.0, "returning_share": 0.0}, "settling, on a point or a cycle, with"),
        (TORUS, "quasi-periodic, with lambda_1 = 0.00300 ± 0.00100 [1 / system time], not to be told from zero;"),
        (BLOWN, "divergent: its free runs blow up."),
        (BLOWN | {"bounded_share": 0.2}, "divergent: 80 % of its free runs blow up."),
        (CHAOS | {"bounded_share": 0.75}, "0.900. Of its free runs 25 % blow up; what follows is of the others."),
    ],
)
def test_each_motion_has_its_words(told, numbers, sentence):
    assert sentence in told(numbers)[LEARNED]


def test_data_that_are_not_chaotic_are_told_as_such(told):
    paragraphs = told(TORUS | FREE, truth={"lyapunov_exponent_1": 0.0})
    assert paragraphs[PATH] == "Your window is 200 steps. Over 200 steps gradients change by e^1.90."
    assert paragraphs[LEARNED].endswith("not to be told from zero; the data are not chaotic, either.")
    chaotic = told(CHAOS, truth={"lyapunov_exponent_1": 0.0}, trainer=BPTT(clip_norm=2.0))
    assert chaotic[LEARNED].endswith("; the data are not.")
    assert "chaos that the data do not have" in chaotic["look at"]


def test_of_data_whose_exponent_is_not_known_nothing_is_said(told):
    paragraphs = told(CHAOS | FREE, truth={})
    assert paragraphs[PATH] == "Your window is 200 steps. Over 200 steps gradients change by e^1.90."
    assert paragraphs[LEARNED] == "The trained network is chaotic, with lambda_1 = 0.870 ± 0.0200 [1 / system time]."


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        (
            CHAOS | {"loss_gradient_growth": 0.9},
            "Theorem 2: gradients of a chaotic orbit grow as e^(lambda_1 T), whatever the architecture. Measured rate "
            "gamma = 0.880 ± 0.0300 [1 / system time], 101 % of lambda_1. Loss gradients of the parameters grow at "
            "0.900. Growth and exponent agree within their errors.",
        ),
        (
            REST,
            "Theorem 1: gradients near a fixed point or a cycle vanish exponentially, at the rate of its exponent. "
            "Measured: they vanish altogether. Growth and exponent agree within their errors.",
        ),
        (
            TORUS,
            "Theorem 3: gradients of a quasi-periodic orbit grow or shrink more slowly than any exponential. Measured "
            "rate gamma = 0.00200 ± 0.00100 [1 / system time]. Growth and exponent agree within their errors.",
        ),
        (BLOWN, "Theory speaks of bounded orbits, and this one is not."),
    ],
)  # fmt: skip
def test_each_theorem_is_told_beside_what_was_measured(told, numbers, text):
    assert told(numbers)[THEORY] == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"gradient_growth": 1.4}, "161 % of lambda_1. Growth and exponent DISAGREE beyond their errors."),
        ({"gradient_growth_interval": 0.5}, "cannot be told: errors are too wide."),
        ({"returning_share": 0.4}, "cannot be told: free runs end on different attractors."),
        (
            {"gradient_growth": nan, "bounded_share": 0.7},
            "Their rate could not be measured. Whether growth and exponent agree cannot be told: "
            "the orbits that gradients were followed along blew up.",
        ),
    ],
)
def test_disagreement_and_doubt_are_told_with_their_reason(told, changes, text):
    assert told(CHAOS | changes)[THEORY].endswith(text)


@pytest.mark.parametrize(
    ("initial", "text"),
    [
        (CYCLE | {"period": 2.0}, "Before training the network was on a 2-cycle, lambda_1 = -0.310 ± 0.0200."),
        (REST, "Before training the network was at rest at a fixed point, lambda_1 = -inf."),
        (BLOWN, "Before training the network was divergent: its free runs blow up."),
    ],
)
def test_the_network_before_training_is_told(told, initial, text):
    assert told(Told(CHAOS, initial=initial))[THEORY].endswith(text)


def test_a_network_that_blows_up_is_not_said_to_have_vanishing_gradients(told):
    assert "could not be measured" in told(BLOWN | FREE | {"chain_growth": nan})[PATH]
    assert "gradients vanish altogether" in told(REST | FREE | {"chain_growth": -float("inf")})[PATH]


def test_the_outcome_counts_seeds_and_tells_the_median_one(told):
    seeds = [
        Told(divergence=0.7),
        Told(divergence=0.2),
        Told(divergence=None, status="diverged", message="it blew up."),
    ]
    assert told(*seeds)["outcome"] == (
        "2 ok, 1 diverged of 3 seeds. Seed 0, the median by state_space_divergence: "
        "state_space_divergence 0.700 (two true orbits: 0.0500)."
    )
    assert told(*seeds, seed=2)["outcome"].endswith(
        "Seed 2: state_space_divergence undefined (two true orbits: 0.0500). It diverged: it blew up."
    )
    assert "1 ok of 1 seed. Seed 0: " in told(Told(message="too good to be true"))["outcome"]
    assert told(Told(message="too good"))["outcome"].endswith("Beware: too good.")
    assert "Seed 1, the better by" in told(*seeds[:2])["outcome"]


@pytest.mark.parametrize(
    ("seed", "line"),
    [
        (Told(CHAOS | {"clipped_share": 0.63}), "ok; chaotic; lambda_1 97 % of the data's; gradients grow at 101 % of "
         "lambda_1; clipped in 63 % of updates"),
        (Told(REST), "ok; at rest at a fixed point; a model that comes to rest in place of chaos"),
        (Told(CYCLE), "ok; on a 4-cycle; a model that learned a cycle of 4 steps in place of chaos"),
        (Told(CHAOS | {"gradient_growth": 1.4}), "ok; chaotic; lambda_1 97 % of the data's; gradients grow at 161 % of "
         "lambda_1; growth and exponent disagree; a long transient, or free runs from different conditions that do not "
         "share one attractor"),
        (Told(CHAOS | {"gradient_growth": nan}), "ok; chaotic; lambda_1 97 % of the data's"),
        (Told(BLOWN, status="diverged", message="the free run is not finite"), "diverged: the free run is not finite; "
         "clipped in 63 % of updates; numbers that blow up in free running: too large a learning rate, or a map that "
         "nothing keeps bounded"),
        (Told({}, status="failed", message="ValueError: no such\nnumber."), "failed: ValueError: no such number"),
        (Told({}), "ok; not diagnosed"),
    ],
)  # fmt: skip
def test_a_run_is_told_in_a_line(tmp_path, seed, line):
    (found,) = seed_results(publish(tmp_path, seed))
    assert brief(found) == line


@pytest.mark.parametrize(
    ("seed", "text"),
    [
        (Told({}), "run the suite into another directory"),
        (Told({}, status="failed", message="out of luck"), "The same command tries it again."),
        (Told({}, status="skipped", message="it cannot work"), "None: there was nothing to diagnose."),
    ],
)
def test_a_run_without_a_diagnosis_says_what_to_do(told, seed, text):
    paragraphs = told(seed)
    assert list(paragraphs) == ["outcome", "diagnosis"]
    assert text in paragraphs["diagnosis"]
    assert (
        seed.status != "failed"
        or paragraphs["outcome"] == "1 failed of 1 seed. Seed 0: no scores. It failed: out of luck."
    )


def test_what_is_not_known_has_no_paragraph(told):
    assert list(told(CHAOS)) == ["outcome", PATH, LEARNED, THEORY]
    costs = {"cost_share": 0.0004, "diagnosis_seconds": 2.0}
    text = told(Told(CHAOS | costs, initial={"diagnosis_seconds": 1.0}))["cost"]
    assert text == "All diagnostics took less than 0.1 % of the training time; those of this page 3.0 s for each seed."


def test_other_seeds_stand_in_a_line_each_and_a_neighbour_changes_no_word(tmp_path):
    seeds = [
        Told(CHAOS | FREE, divergence=0.2),
        Told(REST, divergence=0.1),
        Told(BLOWN, divergence=None),
    ]
    whole = explain(publish(tmp_path / "a", *seeds), 0)
    assert [line.partition(":")[0] for line in whole.others] == ["seed 1", "seed 2"]
    changed = explain(publish(tmp_path / "b", seeds[0], *(replace(one, numbers={}) for one in seeds[1:])), 0)
    assert whole.paragraphs[1:] == changed.paragraphs[1:]
    assert whole.title == "bptt on lstm, lorenz63"


def test_data_that_are_not_the_default_stand_in_the_title(tmp_path):
    assert (
        explain(publish(tmp_path, Told(), data=DataSpec(noise=0.1))).title == "bptt on lstm, lorenz63, data(noise=0.1)"
    )
