"""The dynamics that a network learned, compared with the data."""

import pytest
from stored_runs import BLOWN, CHAOS, CYCLE, FREE, LORENZ, REST, TORUS
from texts import DYNAMICS, PATH, has, numbers

from chaosbench.trainers import BPTT


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
    assert numbers(opposite) == ["2.00", "-14.6"], "exponents of different sign have no ratio"


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


def test_data_whose_exponent_is_unknown_are_not_mentioned(paragraphs):
    texts = paragraphs(CHAOS | FREE, truth={})
    assert numbers(texts[PATH]) == ["200", "1.90"]
    assert numbers(texts[DYNAMICS]) == ["0.870", "0.0200"]
    assert not has(texts[DYNAMICS], "the data")
