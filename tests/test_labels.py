"""Labels cut to what tells them apart."""

from hypothesis import given
from hypothesis import strategies as st

from chaosbench.labels import shared, shortened

LABELS = ["lstm", "bptt(updates=5, batch=16)", "bptt(updates=5, clip_norm=0.1)", "rnn(sizes=(1, 2), form=closed)"]


def test_what_all_of_a_kind_share_is_said_once():
    assert shortened(LABELS) == {
        "lstm": "lstm",
        "bptt(updates=5, batch=16)": "bptt(batch=16)",
        "bptt(updates=5, clip_norm=0.1)": "bptt(clip_norm=0.1)",
        "rnn(sizes=(1, 2), form=closed)": "rnn",
    }
    assert shared(LABELS) == {"bptt": "updates=5", "rnn": "sizes=(1, 2), form=closed"}


settings_ = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "(2, 3)", "x y"]), max_size=4)


@given(st.lists(st.tuples(st.sampled_from(["lstm", "rnn"]), settings_), max_size=6))
def test_different_labels_stay_different(drawn: list[tuple[str, dict[str, str]]]):
    labels = {
        kind + (f"({', '.join(f'{k}={v}' for k, v in sorted(settings.items()))})" if settings else "")
        for kind, settings in drawn
    }
    short = shortened(labels)
    assert len(set(short.values())) == len(labels)
