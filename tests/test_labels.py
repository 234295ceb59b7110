"""Titles of runs, and labels without shared settings."""

from hypothesis import given
from hypothesis import strategies as st

from chaosbench.labels import shared, shortened, title, titles

LABELS = ["lstm", "bptt(updates=5, batch=16)", "bptt(updates=5, clip_norm=0.1)", "rnn(sizes=(1, 2), form=closed)"]


def test_settings_that_all_labels_of_a_kind_share_are_separated():
    assert shortened(LABELS) == {
        "lstm": "lstm",
        "bptt(updates=5, batch=16)": "bptt(batch=16)",
        "bptt(updates=5, clip_norm=0.1)": "bptt(clip_norm=0.1)",
        "rnn(sizes=(1, 2), form=closed)": "rnn",
    }
    assert shared(LABELS) == {"bptt": "updates=5", "rnn": "sizes=(1, 2), form=closed"}


def test_a_title_has_the_data_only_if_they_are_not_the_default():
    run = {"trainer": "bptt", "model": "lstm", "system": "lorenz63", "data": "data", "seed": 0}
    assert title(run) == "bptt on lstm, lorenz63"
    assert title({**run, "data": "data(noise=0.1)"}) == "bptt on lstm, lorenz63, data(noise=0.1)"


def test_titles_leave_out_settings_that_all_runs_share():
    run = {"trainer": "bptt(updates=5)", "model": "lstm", "system": "lorenz63", "data": "data(noise=0.1)"}
    other = {**run, "trainer": "bptt(updates=5, batch=2)"}
    assert titles([run, other]) == ["bptt on lstm, lorenz63", "bptt(batch=2) on lstm, lorenz63"]


settings_ = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "(2, 3)", "x y"]), max_size=4)


@given(st.lists(st.tuples(st.sampled_from(["lstm", "rnn"]), settings_), max_size=6))
def test_different_labels_stay_different(drawn: list[tuple[str, dict[str, str]]]):
    labels = {
        kind + (f"({', '.join(f'{k}={v}' for k, v in sorted(settings.items()))})" if settings else "")
        for kind, settings in drawn
    }
    short = shortened(labels)
    assert len(set(short.values())) == len(labels)
