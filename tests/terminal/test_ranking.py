"""The table of the ranking on terminals of every width."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from chaosbench.leaderboard.board import Board, Entry, Measure, Ranking, Score
from chaosbench.terminal.ranking import ranking_table

MEASURES = (
    Measure("state_space_divergence", "nats", "lower", 0.049),
    Measure("power_spectrum_distance(smoothing=1)", "1", "lower", 0.0512),
    Measure("valid_prediction_time", "Lyapunov times", "higher", 0.321),
)
GOOD = Score((0.11, 0.12, 0.145), 0.12, (0.0789, 0.155))
BAD = Score((0.1, None, None), None, None, diverged=2)
TRAINER = "sparse_teacher_forcing(interval=0.4 tau_pred)"
ENTRIES = (
    Entry(1, "best", "shallow_plrnn(hidden=50)", TRAINER, 3, 0, 0, 999, 12.345, (GOOD, GOOD, GOOD)),
    Entry(2, "tied", "lstm(sizes=[1, 2])", "bptt", 3, 0, 1, 999, 0.5, (GOOD, GOOD, None)),
    Entry(3, "behind", "rnn", "bptt", 3, 2, 0, 999, None, (BAD, GOOD, GOOD)),
)
RANKING = Ranking((Board("lorenz63", "data", "{}", ("toy",), MEASURES, ENTRIES),))

# Six metrics, and numbers of every size and sign.
MANY = tuple(Measure(name, unit, "lower", 0.0212) for name, unit in (
    ("state_space_divergence", "nats"), ("power_spectrum_distance", "1"), ("valid_prediction_time", "Lyapunov times"),
    ("skill", "1"), ("prediction_error", "1"), ("largest_exponent_error", "1"),
))  # fmt: skip
INTERVALS = ((0.0, 6.08), (0.0428, 0.392), (0.0293, 0.0553), (0.00174, 0.00375), (6.43e-4, 0.00703), (-0.12, 12345.0))
MEDIANS = (0.650, 14.9, 2.68e-4, 1.23e6, -0.0453, None)
SCORES = tuple(Score((0.5,) * 10, median, interval) for median, interval in zip(MEDIANS, INTERVALS, strict=True))
TRAINERS = ("bptt", *(f"sparse_teacher_forcing(learning_rate={rate}, interval=0.4 tau_pred)" for rate in (0.00125, 5)))
WIDE = Ranking(
    (
        Board("lorenz63", "data", "{}", ("toy",), MANY, tuple(
            Entry(rank, "tied", "lstm(hidden=17)", trainer, 10, 0, 0, 9, 1234.5, SCORES)
            for rank, trainer in enumerate(TRAINERS, start=1)
        )),
    )
)  # fmt: skip


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_table_shows_floor_failures_units_and_intervals_at_any_width(width):
    text = _shown(RANKING, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for expected in (
        "lorenz63", "noise floor", "two true orbits", "0.0490", "0.0512", "0.321", "[nats]", "[Lyapunov", "lower",
        "higher", "0.120", "diverged", "0/3", "1/3", "2/3", "12.3 s", "1 ", "2=", "shallow_plrnn",
        "every shallow_plrnn: hidden=50", "sparse_teacher_forcing", "every lstm: sizes=[1, 2]",
    ):  # fmt: skip
        assert expected in text, expected


@pytest.mark.parametrize("width", range(40, 201))
def test_every_number_is_whole_at_every_width(width):
    """Each word of a line must be a number in one of the forms that are written, or have no digit."""
    text = _shown(WIDE, width)
    assert max(map(len, text.splitlines())) <= width
    form = r"-?\d+(\.\d+)?(e[+-]?\d+)?"
    for word in " ".join(text.splitlines()[1:]).replace("95 %", "").split():
        if re.search(r"\d", word):
            parts = re.split(r"[=–/]|\.\.", word.strip("[](),=?"))
            assert all(re.fullmatch(form, part) for part in parts if re.search(r"\d", part)), word
    assert {"0.650", "14.9", "2.68e-04", "1.23e+06", "-0.0453", "0.0212"} <= set(text.split())
    assert {"0.00125", "5", "17", "0.4"} <= {part for word in text.split() for part in re.split(r"[=,()]+", word)}


@pytest.mark.parametrize("width", range(100, 201))
def test_one_table_holds_all_metrics_from_100_columns(width):
    (board,) = WIDE.boards
    assert _shown(Ranking((board,)), width).count("noise floor") == 1


def test_intervals_have_as_many_digits_as_fit():
    digits = {width: re.findall(r"0\.0\d*(?:–|, )0\.\d+", _shown(WIDE, width))[0] for width in (100, 120, 160)}
    assert len(digits[100]) <= len(digits[120]) <= len(digits[160])
    assert digits[160] == "0.0428, 0.392"


def test_metrics_that_do_not_fit_beside_each_other_go_into_tables_of_equal_size():
    assert _shown(WIDE, 80).count("noise floor") == 2
    assert _shown(WIDE, 80).count("1234 s") == 2 * len(TRAINERS)
    assert _shown(WIDE, 40).count("noise floor") == 6


def test_boards_that_differ_only_in_their_evaluation_show_it():
    (board,) = RANKING.boards
    other = replace(board, evaluation='{"horizon": 5}')
    assert "horizon" in _shown(Ranking((board, other)), 100)
    assert "horizon" not in _shown(Ranking((other,)), 100)


@pytest.mark.parametrize("width", [40, 100])
def test_shares_above_those_of_the_truth_are_listed_by_rank(width):
    """Once, although two metrics store them; the share of the truth itself is not worth a line."""
    (board,) = RANKING.boards
    shares = [{"collapsed_share": share, "off_grid_share": 0.02} for share in (0.0, 0.25, 0.75)]
    measures = [replace(measure, details={"collapsed_share": 0.0, "off_grid_share": 0.03}) for measure in MEASURES]
    entries = [
        replace(entry, scores=tuple(score and replace(score, details=share) for score in entry.scores))
        for entry, share in zip(board.entries, shares, strict=True)
    ]
    text = " ".join(_shown(Ranking((replace(board, measures=tuple(measures), entries=tuple(entries)),)), width).split())
    assert "collapsed: #2 25 %, #3 75 %" in text
    assert text.count("#2") == 1
    assert "off grid:" not in text


def test_an_undefined_median_is_not_called_diverged():
    (board,) = RANKING.boards
    scores = (Score((0.1, None, None), None, None), GOOD, GOOD)
    lost = replace(board.entries[0], scores=scores)
    assert "undefined" in _shown(Ranking((replace(board, entries=(lost,)),)), 100)
    lost = replace(lost, scores=(replace(scores[0], diverged=2), GOOD, GOOD))
    assert "undefined" not in _shown(Ranking((replace(board, entries=(lost,)),)), 100)


def test_no_colour_is_needed():
    assert "\x1b" not in _shown(RANKING, 100)


def test_a_board_without_scores_still_lists_its_entries():
    entry = Entry(1, "best", "rnn", "bptt", 2, 0, 2, 9, None, ())
    text = _shown(Ranking((Board("lorenz63", "", "{}", ("toy",), (), (entry,)),)), 80)
    assert "rnn" in text
    assert "2/2" in text
    assert "noise floor" not in text


def _shown(ranking, width):
    console = Console(file=io.StringIO(), width=width, no_color=True)
    console.print(ranking_table(ranking))
    return console.file.getvalue()
