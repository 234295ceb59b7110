import io
import itertools
from dataclasses import replace

import pytest
from rich.console import Console

from chaosbench.formats import duration, number
from chaosbench.leaderboard.rank import Board, Entry, Measure, Ranking, Score
from chaosbench.terminal.ranking import progress, ranking_table

MEASURES = (
    Measure("state_space_divergence", "nats", "lower", 0.049),
    Measure("power_spectrum_distance(smoothing=1)", "1", "lower", 0.0512),
    Measure("valid_prediction_time", "Lyapunov times", "higher", 0.321),
)
GOOD = Score((0.11, 0.12, 0.145), 0.12, (0.0789, 0.155))
BAD = Score((0.1, None, None), None, None)
TRAINER = "sparse_teacher_forcing(interval=0.4 tau_pred)"
ENTRIES = (
    Entry(1, "best", "shallow_plrnn(hidden=50)", TRAINER, 3, 0, 0, 999, 12.345, (GOOD, GOOD, GOOD)),
    Entry(2, "tied", "lstm(sizes=[1, 2])", "bptt", 3, 0, 1, 999, 0.5, (GOOD, GOOD, None)),
    Entry(3, "behind", "rnn", "bptt", 3, 2, 0, 999, None, (BAD, GOOD, GOOD)),
)
RANKING = Ranking((Board("lorenz63", "data", "{}", ("toy",), MEASURES, ENTRIES),))


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_table_tells_floor_failures_units_and_intervals_at_any_width(width):
    text = _shown(RANKING, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for wanted in (
        "lorenz63", "noise floor", "two true orbits", "0.0490", "0.0512", "0.321", "[nats]", "[Lyapunov times]",
        "lower", "higher", "0.120", "[0.0789, 0.155]", "diverged", "0/3", "1/3", "2/3", "12.3", "1 ", "2=",
        "shallow_plrnn", "every shallow_plrnn: hidden=50", "sparse_teacher_forcing", "every lstm: sizes=[1, 2]",
    ):  # fmt: skip
        assert wanted in text, wanted


def test_what_does_not_fit_beside_goes_into_a_table_below():
    assert _shown(RANKING, 80).count("noise floor") == 2
    assert _shown(RANKING, 110).count("noise floor") == 1


def test_boards_that_differ_in_their_evaluation_alone_say_so():
    (board,) = RANKING.boards
    other = replace(board, evaluation='{"horizon": 5}')
    assert "horizon" in _shown(Ranking((board, other)), 100)
    assert "horizon" not in _shown(Ranking((other,)), 100)


def test_no_colour_is_needed():
    assert "\x1b" not in _shown(RANKING, 100)


def test_a_board_without_scores_still_lists_its_entries():
    entry = Entry(1, "best", "rnn", "bptt", 2, 0, 2, 9, None, ())
    text = _shown(Ranking((Board("lorenz63", "", "{}", ("toy",), (), (entry,)),)), 80)
    assert "rnn" in text
    assert "2/2" in text
    assert "noise floor" not in text


def test_numbers_have_three_significant_digits():
    values = (None, 0, 0.012345, 1.5, 99.96, 123.4, 54321.0, 1234567.0, 0.000123, -2.0)
    assert [number(value) for value in values] == [
        "-", "0", "0.0123", "1.50", "100", "123", "54321", "1.23e+06", "1.23e-04", "-2.00",
    ]  # fmt: skip


def test_durations_are_said_as_people_say_them():
    spans = (0.04, 9.94, 9.96, 61, 99.6, 3599.7, 7384)
    assert [duration(span) for span in spans] == [
        "0.0 s", "9.9 s", "10 s", "61 s", "1 min 40 s", "1 h 00 min", "2 h 03 min",
    ]  # fmt: skip


def test_a_file_gets_plain_lines_at_start_every_ten_seconds_and_at_the_end():
    clock = itertools.count(0, 2)  # [s] between two looks at the clock
    file = io.StringIO()
    with progress(2, Console(file=file, width=20), clock=lambda: float(next(clock))) as show:
        show.started("bptt on lstm(sizes=[1, 2]), lorenz63")
        for update in range(10, 120, 10):
            show.advanced("bptt on lstm(sizes=[1, 2]), lorenz63", update, 1000, 0.5 / update)
        show.note("a note in [brackets]")
        show.finished("bptt on lstm(sizes=[1, 2]), lorenz63", {"ok": 2, "failed": 0, "diverged": 1}, 20.0)
    assert file.getvalue().splitlines() == [
        "[1/2] start: bptt on lstm(sizes=[1, 2]), lorenz63",
        "bptt on lstm(sizes=[1, 2]), lorenz63: 50/1000 updates, 5.00 updates/s, 3 min 10 s left, loss 0.0100",
        "bptt on lstm(sizes=[1, 2]), lorenz63: 100/1000 updates, 5.00 updates/s, 3 min 00 s left, loss 0.00500",
        "a note in [brackets]",
        "[1/2] done: bptt on lstm(sizes=[1, 2]), lorenz63: 2 ok, 1 diverged in 20 s",
    ]


def test_plain_lines_are_flushed_one_by_one(tmp_path):
    with (tmp_path / "log").open("w") as file, progress(1, Console(file=file)) as show:
        show.started("bptt on rnn")
        assert (tmp_path / "log").read_text() == "[1/1] start: bptt on rnn\n"


def test_a_terminal_gets_a_live_display_that_survives_an_error():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120)

    def interrupted():
        with progress(2, console) as show:
            show.started("bptt on lstm(sizes=[1, 2])")
            show.advanced("bptt on lstm(sizes=[1, 2])", 5, 10, None)
            show.advanced("a late one", 5, 10, 0.25)
            show.finished("bptt on lstm(sizes=[1, 2])", {"ok": 3}, 2.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    text = file.getvalue()
    assert "bptt on lstm(sizes=[1, 2]): 3 ok in 2.0 s" in text
    assert "loss 0.250" in text
    assert text.endswith("\x1b[2K"), "the bars are wiped"
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is back"


def _shown(ranking, width):
    console = Console(file=io.StringIO(), width=width, no_color=True)
    console.print(ranking_table(ranking))
    return console.file.getvalue()
