"""The campaign on one screen: every line fits, and every number is whole."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosbench.formats import number, roughly
from chaosbench.monitor.costs import Costs, Observation, Work
from chaosbench.monitor.state import Planned, State
from chaosbench.terminal.dashboard import render, sparkline, summary

WORK = Work("henon", "rnn", "bptt", updates=100, seeds=1)
TITLE = "generalized_teacher_forcing(alpha=0.123456, updates=12345) on almost_linear_rnn(hidden=20), lorenz96(F=8.17)"


def campaign(runs: int, loss: float, norm: float, update: int = 1_234) -> State:
    titles = [f"{TITLE} {index}" for index in range(runs)]
    state = State(
        {title: Planned(title, 3, WORK) for title in [*titles, "waits"]},
        workers=runs,
        costs=Costs([Observation(WORK, 1.0, 1.0)]),
        began=0.0,
    )
    for title in titles:
        state.start(title, 0.0)
        for step in (1, update):
            state.advance(title, "training", step / 85.3, update=step, updates=5_000, loss=loss, norm=norm)
    return state


@settings(max_examples=30)
@given(st.integers(30, 130), st.floats(1e-300, 1e300), st.floats(1e-300, 1e300), st.integers(2, 5_000))
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(width: int, loss: float, norm: float, update: int):
    state = campaign(2, loss, norm, update)
    lines = render(state, width=width, height=24, now=100.0).plain.splitlines()
    assert max(map(len, lines)) <= width
    (doing, _) = [line for line in lines if line.startswith("  ")]
    allowed = {str(update), "5000", *(number(x) for x in (loss, norm, 85.3))}
    words = re.sub(r"[▁-█]+", " ", doing).replace("/s", " ").replace("/", " ").split()
    numbers = [word for word in words if re.match(r"[\d.]", word)]
    left = roughly((5_000 - update) / 85.3).split()
    assert set(numbers) <= allowed | set(left)
    assert str(update) in numbers or width < 40


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_titles_break_at_words_and_keep_their_numbers_whole(width: int):
    lines = render(campaign(1, 1.0, 1.0), width=width, height=24, now=9.0).plain.splitlines()
    (title,) = [line for line in lines if line.startswith("generalized")]
    shown = title.removesuffix(" ...")
    whole = f"{TITLE} 0"
    assert whole.startswith(shown.rstrip())
    following = whole[len(shown.rstrip()) :][:1]
    assert not (shown[-1].isalnum() and following.isalnum()), "no word or number is cut"


def test_more_experiments_than_lines_are_counted():
    text = render(campaign(40, 1.0, 1.0), width=80, height=24, now=9.0).plain
    assert len(text.splitlines()) <= 24
    shown = text.count("training ")
    assert f"{40 - shown} more" in text


def test_a_terminal_without_unicode_gets_letters_that_it_has():
    assert render(campaign(2, 1.0, 2.0), width=80, height=24, now=9.0, plain=True).plain.isascii()


def test_a_falling_course_falls_and_a_constant_one_is_flat():
    levels = "▁▂▃▄▅▆▇█"
    assert sparkline([10.0**-n for n in range(8)], 8) == levels[::-1]  # equal steps on a logarithmic scale
    assert sparkline([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0], 8) == levels
    assert set(sparkline([2.0] * 9, 5)) == {"▁"}
    assert sparkline([1.0, None, math.inf, math.nan, 1.0], 5) == "▁   ▁"
    assert len(sparkline([1.0] * 100, 7)) == 7


def test_one_line_says_how_many_are_done():
    state = campaign(1, 1.0, 1.0)
    state.end(f"{TITLE} 0", {"ok": 1, "failed": 2})
    text = summary(state, 20.0)
    assert "1 of 2" in text
    assert "1 failed" in text
    assert "1 waiting" in text


def test_rounded_times_are_within_a_tenth_or_half_a_unit():
    for seconds in (0.2, 1, 4.4, 17, 54, 61, 3_000, 5_000, 30_000, 90_000, 400_000):
        text = roughly(seconds)
        units = {"s": 1, "min": 60, "h": 3_600, "days": 86_400}
        found = sum(int(value) * units[unit] for value, unit in re.findall(r"(\d+) (s|min|h|days)", text))
        assert found == pytest.approx(seconds, rel=0.17, abs=1.0), text
