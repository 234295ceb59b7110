"""The ranking over systems, and two methods against each other, on stored runs with chosen scores."""

from dataclasses import replace

import numpy as np
import pytest

from chaosbench.errors import ChaosbenchError
from chaosbench.leaderboard.board import Board, Entry, Measure, Ranking, Score
from chaosbench.leaderboard.overall import overall
from chaosbench.leaderboard.versus import method, powers, versus

DIVERGENCE = Measure("state_space_divergence", "nats", "lower", 0.01, logarithmic=True, least=0.01)
SPECTRUM = Measure("power_spectrum_distance", "1", "lower", 0.02, logarithmic=True, least=0.02)
SEEDS = 5


def entry(model: str, *columns, lost: int = 0) -> Entry:
    scores = tuple(Score(tuple(map(float, column)), float(np.median(column)), None) for column in columns)
    return Entry(1, "best", model, "bptt", SEEDS, lost, 0, 10, 36.0, scores)


def board(number: int, scores: dict[str, tuple], *, lost: dict[str, int] | None = None) -> Board:
    entries = tuple(entry(name, *columns, lost=(lost or {}).get(name, 0)) for name, columns in scores.items())
    return Board(f"system{number}", "data", "{}", ("suite",), (DIVERGENCE, SPECTRUM)[: len(entries[0].scores)], entries)


def ranking(effects: dict[str, float], *, systems: int = 10, seed: int = 0) -> Ranking:
    """Return boards on which the scores of a method are exp(effect + noise), in both metrics."""
    generator = np.random.default_rng(seed)

    def columns(effect: float) -> tuple:
        return tuple(np.exp(effect + 0.3 * generator.normal(size=(2, SEEDS))))

    return Ranking(tuple(board(n, {name: columns(effect) for name, effect in effects.items()}) for n in range(systems)))


def test_methods_far_apart_get_their_ranks_and_tiers_of_their_own():
    found = overall(ranking({"bad": 4.0, "good": 0.0, "fair": 2.0}))
    assert [one.model for one in found.standings] == ["good", "fair", "bad"]
    assert [one.on_these for one in found.standings] == [(1, 1), (2, 2), (3, 3)]
    assert [one.on_others for one in found.standings] == [(1, 1), (2, 2), (3, 3)]
    assert [one.tier for one in found.standings] == [1, 2, 3]
    assert [one.wins for one in found.standings] == [1.0, 0.5, 0.0]


def test_methods_that_do_not_differ_share_a_tier_in_95_percent_of_rankings():
    repeats = 60
    found = [overall(ranking(dict.fromkeys("abcd", 0.0), systems=6, seed=seed)) for seed in range(repeats)]
    divided = sum(len({one.tier for one in each.standings}) > 1 for each in found)
    assert divided <= 0.05 * repeats + 3 * np.sqrt(repeats * 0.05 * 0.95), "within three standard deviations"


def test_few_systems_leave_every_rank_open_on_systems_like_these():
    found = overall(ranking({"good": 0.0, "bad": 5.0}, systems=3))
    assert not found.enough
    assert [one.on_these for one in found.standings] == [(1, 1), (2, 2)]
    assert [one.on_others for one in found.standings] == [(1, 2), (1, 2)]


def test_a_perfect_score_in_one_metric_alone_does_not_win():
    scores = {
        "shuffled": ([0.01] * SEEDS, [0.9] * SEEDS),
        "network": ([0.1, 0.12, 0.11, 0.1, 0.13], [0.05, 0.06, 0.05, 0.07, 0.06]),
        "worse": ([1.0, 1.1, 1.2, 1.0, 1.3], [0.3, 0.4, 0.3, 0.5, 0.4]),
    }
    boards = Ranking(tuple(board(n, scores) for n in range(6)))
    assert overall(boards).standings[0].model == "network"
    assert overall(boards, "state_space_divergence").standings[0].model == "shuffled"


@pytest.mark.parametrize("names", [["skill", "valid_prediction_time"], ["valid_prediction_time", "skill"]])
def test_the_valid_prediction_time_counts_once_where_the_skill_is_there(names: list[str]):
    """The skill is the time as a share of the twin's, so that both together would count one forecast twice."""
    measures = tuple(Measure(name, "1", "higher", 0.0) for name in names)
    forecasts = {"far": ([2.0] * SEEDS,) * 2, "near": ([1.0] * SEEDS,) * 2}

    def shown(measures: tuple[Measure, ...]) -> Ranking:
        return Ranking(tuple(replace(board(n, forecasts), measures=measures) for n in range(3)))

    assert overall(shown(measures)).metrics == ("skill",)
    assert overall(shown(measures), "valid_prediction_time").metrics == ("valid_prediction_time",)
    others = tuple(replace(one, name="spectrum") if one.name == "skill" else one for one in measures)
    assert set(overall(shown(others)).metrics) == {"spectrum", "valid_prediction_time"}


def test_runs_that_diverged_lose_against_all_others():
    scores = {"risky": ([0.1] * 2,), "safe": ([5.0] * SEEDS,)}
    boards = Ranking(tuple(board(n, scores, lost={"risky": 3}) for n in range(6)))
    safe, risky = overall(boards).standings
    assert (safe.model, safe.wins) == ("safe", pytest.approx(0.6)), "three of five runs of the other are lost"
    assert risky.lost == pytest.approx(0.6)


def test_a_method_that_lacks_a_board_is_listed_and_not_ranked():
    full = ranking({"a": 0.0, "b": 1.0, "c": 2.0}, systems=3)
    first = full.boards[0]
    found = overall(Ranking((replace(first, entries=first.entries[:2]), *full.boards[1:])))
    assert [one.model for one in found.standings] == ["a", "b"]
    assert [(one.model, one.boards) for one in found.missing] == [("c", ("system0",))]


def test_one_board_is_no_ranking_over_systems():
    assert overall(ranking({"a": 0.0, "b": 1.0}, systems=1)) is None
    assert overall(Ranking(())) is None


def test_intervals_of_ranks_cover_the_true_ranks():
    effects, repeats, wrong = dict(zip("abcd", (0.0, 0.0, 0.2, 0.4), strict=True)), 60, 0
    true = {"a": (1, 2), "b": (1, 2), "c": (3, 3), "d": (4, 4)}
    for seed in range(repeats):
        for one in overall(ranking(effects, systems=6, seed=100 + seed)).standings:
            low, high = true[one.model]
            wrong += one.on_these[0] > low or one.on_these[1] < high
    assert wrong / (4 * repeats) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)


def test_two_methods_are_compared_on_every_board_and_the_sides_may_be_exchanged():
    boards = ranking({"good": 0.0, "bad": 2.0}, systems=8)
    good, bad = ("good", "bptt"), ("bad", "bptt")
    one = versus(boards, good, bad, metric=None, equal=0.05)
    other = versus(boards, bad, good, metric=None, equal=0.05)
    assert one.probability == pytest.approx(1 - other.probability)
    assert (one.on_these, one.on_others) == (pytest.approx(other.on_these), pytest.approx(other.on_others))
    assert one.on_these < 1e-6
    assert one.on_others == pytest.approx(2 * 0.5**8)
    low, high = one.interval
    assert low <= one.probability <= high
    assert len(one.duels) == 8


def test_more_systems_find_a_small_difference_more_often():
    boards, sizes = ranking({"a": 0.0, "b": 0.15}, systems=8), [(1, 3), (4, 5), (16, 5)]
    found = powers(boards, ("a", "bptt"), ("b", "bptt"), metric=None, equal=0.0, sizes=sizes)
    one, few, many = found
    assert one.on_others == 0.0, "one system cannot speak for others"
    assert many.on_others > few.on_others
    assert many.on_these > few.on_these > one.on_these
    assert few.hours == pytest.approx(4 * 5 * 72 / 3600)


def test_a_method_is_named_by_words_of_its_labels():
    boards = ranking({"lstm(hidden=10)": 0.0, "lstm(hidden=20)": 0.1, "rnn": 0.2}, systems=2)
    assert method(boards, "rnn") == ("rnn", "bptt")
    assert method(boards, "bptt on lstm(hidden=10)") == ("lstm(hidden=10)", "bptt")
    assert method(boards, "lstm hidden=20") == ("lstm(hidden=20)", "bptt")
    with pytest.raises(ChaosbenchError, match="fits 2 methods"):
        method(boards, "bptt lstm")
    with pytest.raises(ChaosbenchError, match="no method"):
        method(boards, "gru")


def test_methods_without_a_common_board_cannot_be_compared():
    boards = Ranking((board(0, {"a": ([1.0] * 5,)}), board(1, {"b": ([1.0] * 5,)})))
    with pytest.raises(ChaosbenchError, match="no board has both"):
        versus(boards, ("a", "bptt"), ("b", "bptt"), metric=None, equal=0.05)
