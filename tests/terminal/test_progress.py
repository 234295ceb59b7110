"""The progress of a campaign, in a file and on a terminal."""

import io
import itertools

import pytest
from rich.console import Console

from chaosbench.monitor.state import Planned
from chaosbench.run import Progress
from chaosbench.terminal.progress import progress

NAME = "bptt on lstm(sizes=[1, 2]), lorenz63"
ONE, TWO = [Planned(NAME)], [Planned(NAME), Planned("bptt on rnn")]


def test_a_file_gets_plain_lines_for_phases_and_every_ten_seconds_of_training():
    clock = itertools.count(0, 2)  # [s] between two readings
    file = io.StringIO()
    with progress(TWO, Console(file=file, width=20), clock=lambda: float(next(clock))) as display:
        display.started(NAME)
        for phase in ("data", "diagnosis", "training"):
            display.advanced(NAME, Progress(phase))
        for update in range(10, 120, 10):
            display.advanced(NAME, Progress("training", update, 1000, 0.5 / update))
        for phase in ("diagnosis", "forecasts", "scores"):
            display.advanced(NAME, Progress(phase))
        display.drawing(NAME)
        display.note("a note in [brackets]")
        display.finished(NAME, {"ok": 2, "failed": 0, "diverged": 1}, 20.0)
    lines = file.getvalue().splitlines()
    assert lines[0] == f"[1/2] start: {NAME}"
    assert lines[-2] == f"[1/2] done: {NAME}: 2 ok, 1 diverged in 20 s"
    assert lines[-3] == "a note in [brackets]"
    assert "1 of 2" in lines[-1]
    assert lines[3] == f"{NAME}: training", "before the first update, too, which may take long"
    training = [line for line in lines if "updates/s" in line]
    assert training == [
        f"{NAME}: 50/1000 updates, 5.00 updates/s, 3 min 10 s left, loss 0.0100",
        f"{NAME}: 100/1000 updates, 5.00 updates/s, 3 min 00 s left, loss 0.00500",
    ]
    after = " ".join(lines[lines.index(training[-1]) :])
    words = ("exponents", "forecasts", "scores", "pictures")
    assert sorted(words, key=after.index) == list(words)


def test_the_last_update_has_no_time_left():
    """A remaining time of 0 s would be shown until the phases after training are done."""
    clock = itertools.count(0, 20)
    file = io.StringIO()
    with progress(ONE, Console(file=file), clock=lambda: float(next(clock))) as display:
        display.started(NAME)
        for update in (500, 1000):
            display.advanced(NAME, Progress("training", update, 1000, 0.5))
    assert "1000/1000 updates" in file.getvalue()
    assert "left" not in file.getvalue().splitlines()[-1]


def test_a_batch_is_named_after_its_first_experiment_and_a_second_start_does_not_count_twice():
    file = io.StringIO()
    with progress([Planned("bptt on rnn"), Planned("bptt on lstm")], Console(file=file)) as display:
        display.started("bptt on rnn")
        display.started("bptt on lstm", "bptt on rnn")
        display.restarted("bptt on rnn")
    lines = file.getvalue().splitlines()
    assert lines[1].startswith("[2/2]")
    assert lines[1].index("bptt on lstm") < lines[1].index("bptt on rnn")
    assert "alone" in lines[2]
    assert "/2]" not in lines[2]


def test_plain_lines_are_flushed_one_by_one(tmp_path):
    with (tmp_path / "log").open("w") as file, progress([Planned("bptt on rnn")], Console(file=file)) as display:
        display.started("bptt on rnn")
        assert (tmp_path / "log").read_text() == "[1/1] start: bptt on rnn\n"


def test_a_terminal_gets_a_live_display_that_survives_an_error():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120)

    def interrupted():
        with progress(TWO, console) as display:
            display.started(NAME)
            display.advanced(NAME, Progress("training", 5, 10, None))
            display.advanced("an experiment that was not announced", Progress("training", 5, 10, 0.25))
            display.finished(NAME, {"ok": 3}, 2.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    text = file.getvalue()
    assert f"{NAME}: 3 ok in 2.0 s" in text
    assert "loss 0.250" in text
    assert text.endswith("\x1b[2K"), "the bars are wiped"
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is back"


@pytest.mark.parametrize(
    ("phase", "word"),
    [
        ("data", "data"),
        ("training", "training"),
        ("diagnosis", "exponents"),
        ("forecasts", "forecasts"),
        ("scores", "scores"),
    ],
)
def test_a_terminal_shows_the_phase_in_place_of_the_updates(phase, word):
    file = io.StringIO()
    with progress([Planned("bptt on rnn")], Console(file=file, force_terminal=True, width=120)) as display:
        display.started("bptt on rnn")
        display.advanced("bptt on rnn", Progress("training", 10, 10, 0.25))
        display.advanced("bptt on rnn", Progress(phase))
    last = file.getvalue().rpartition("bptt on rnn")[2]
    assert word in last
    assert "10/10" not in last
