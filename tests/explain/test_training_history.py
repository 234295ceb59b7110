"""Explanations of the course of training."""

import pytest
from stored_runs import CHAOS
from texts import PATH, TRAINING, has, numbers

from chaosbench.trainers import BPTT, Ridge

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
