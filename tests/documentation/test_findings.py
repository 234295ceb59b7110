"""The findings of the boards follow from stored scores."""

import math
import statistics
from pathlib import Path

import numpy as np
import pytest

from chaosbench.boards.loaded import load_board
from chaosbench.leaderboard.board import Board, Entry, Measure, Ranking, Score
from chaosbench.leaderboard.overall import overall
from docs.generate.core_board import section
from docs.generate.findings.__main__ import main
from docs.generate.findings.baselines import Field
from docs.generate.findings.duels import compared, draw, methods_of, rows_of
from docs.generate.findings.finding import short
from docs.generate.findings.forcing import forcing
from docs.generate.findings.forecasts import ATTRACTORS, FORECAST, correlation
from docs.generate.findings.intervals import by_system
from docs.generate.findings.paper import paper
from docs.generate.forcing_interval import Cell

ROOT = Path(__file__).parents[2]
SEEDS = 5
MEASURES = tuple(Measure(name, "1", "lower", None, logarithmic=True) for name in (*ATTRACTORS, FORECAST))


def entry(model: str, trainer: str, *columns: np.ndarray) -> Entry:
    """Return an entry with a column of scores per metric, NaN for a run that diverged."""
    scores = [[None if math.isnan(value) else float(value) for value in column] for column in columns]
    lost = max(values.count(None) for values in scores)
    made = (Score(tuple(values), None, None, diverged=lost) for values in scores)
    return Entry(1, "best", model, trainer, SEEDS, lost, 0, 10, 36.0, tuple(made))


def ranking(effects: dict[tuple[str, str], float], *, systems: int = 10) -> Ranking:
    """Return boards on which the scores of a method are exp(effect + noise)."""
    generator = np.random.default_rng(0)

    def board(number: int) -> Board:
        noise = {one: 0.3 * generator.normal(size=(len(MEASURES), SEEDS)) for one in effects}
        entries = tuple(entry(*one, *np.exp(effect + noise[one])) for one, effect in effects.items())
        return Board(f"system{number}", "data", "{}", ("suite",), MEASURES, entries)

    return Ranking(tuple(map(board, range(systems))))


def test_methods_better_equal_and_worse_than_the_reference_are_told_apart(tmp_path):
    effects = {("net", name): effect for name, effect in zip("abc", (-3.0, 0.0, 3.0), strict=True)}
    boards = ranking(effects | {("net", "reference"): 0.0})
    found = compared(boards, {one[1]: one for one in effects}, ("net", "reference"))
    assert [(one.name, one.better, one.worse) for one in found] == [
        ("a", True, False),
        ("b", False, False),
        ("c", False, True),
    ]
    assert [tuple(one.tally) for one in (found[0], found[2])] == [(10, 0), (0, 10)]
    assert rows_of(found)[0][2:4] == ("1.00", "1.00 to 1.00")
    assert len(methods_of(boards)) == 4
    draw(found, "the reference", tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000


def test_a_method_whose_runs_diverge_does_not_beat_sparse_forcing():
    """The runs that remain are perfect, but four of five are lost."""
    boards = ranking({("shallow_plrnn", "sparse_teacher_forcing(updates=9)"): 0.0, ("shallow_plrnn", "bptt"): 0.0,
                      ("lstm", "sparse_teacher_forcing"): 0.0, ("lstm", "bptt"): 5.0})  # fmt: skip
    perfect = np.array([1e-9, *[np.nan] * (SEEDS - 1)])
    spoiled = Ranking(tuple(
        Board(one.system, one.data, one.evaluation, one.suites, one.measures,
              tuple(entry(each.model, each.trainer, *[perfect] * 3) if each.model == "shallow_plrnn"
                    and each.trainer == "bptt" else each for each in one.entries))
        for one in boards.boards))  # fmt: skip
    finding = forcing(spoiled, "leaderboards/core")
    assert finding.answer.startswith("**None is found to.**")
    assert "2 lose against it" in finding.answer
    assert 'chaosbench compare leaderboards/core "bptt on shallow_plrnn"' in finding.command
    assert finding.text(1, "pictures").startswith("## 1. Does any way of training beat sparse forcing")


def test_training_without_forcing_is_compared_with_forcing_at_the_predictability_time_on_the_same_network():
    """The network matters more than the trainer here, and must not."""
    network = {"rnn": 5.0, "lstm(hidden=9)": -5.0}
    trainer = {"sparse_teacher_forcing(interval=tau_pred, updates=9)": 0.0, "bptt(clip_norm=1)": 3.0,
               "sparse_teacher_forcing(interval=0.25 tau_pred, updates=9)": -3.0}  # fmt: skip
    boards = ranking({(one, other): a + b for one, a in network.items() for other, b in trainer.items()})
    finding = paper(boards, "leaderboards/seed-paper")
    assert finding.answer.startswith("**In 2 of 2 comparisons training without forcing is worse, in 0 better,**")
    assert "better than tau_pred: 0.25 tau_pred (rnn, lstm); worse: none" in finding.answer
    assert [row[0] for row in finding.rows] == ["forcing, 0.25 tau_pred", "bptt"]
    assert [row[-1] for row in finding.rows] == ["20, 0", "0, 20"]


def test_ranks_of_intervals_are_on_average_in_the_middle_on_every_system():
    """The ranks of n intervals have the mean (n + 1) / 2, whoever wins, diverges or ties."""
    generator, multiples = np.random.default_rng(1), (0.1, 0.4, 1.0, 2.0)

    def scores() -> tuple[float | None, ...]:
        return tuple(None if drawn > 2 else float(drawn) for drawn in generator.exponential(size=3))

    collapsed = dict.fromkeys(multiples, 0.0)
    pairs = [(system, model) for system in "ab" for model in ("rnn", "lstm")]
    found = [Cell(*pair, 0.1, {multiple: scores() for multiple in multiples}, collapsed) for pair in pairs]
    for ranks in by_system(found).values():
        assert statistics.fmean(ranks.values()) == pytest.approx(2.5, abs=1e-12)


def test_forecasts_and_attractors_correlate_as_they_were_made():
    rows = np.exp(np.arange(9.0))[:, None] * np.ones(SEEDS)
    entries = [entry(f"m{i}", "bptt", rows[i], rows[8 - i], rows[i]) for i in range(9)]
    lost = entry("diverged", "bptt", *[np.full(SEEDS, np.nan)] * 3)
    board = Board("system", "data", "{}", ("suite",), MEASURES, (*entries, lost))
    assert [correlation(board, name) for name in ATTRACTORS] == pytest.approx([1.0, -1.0])


def test_the_best_network_and_the_best_cheap_method_are_found():
    effects = {("lstm", "bptt"): 1.0, ("rnn", "bptt"): -1.0, ("sindy(form=map)", "stlsq"): 0.0,
               ("context_parroting", "memorise"): 3.0}  # fmt: skip
    field = Field.of(ranking(effects, systems=1).boards[0], [one.name for one in MEASURES])
    assert (field.network, field.cheap) == (("rnn", "bptt"), ("sindy(form=map)", "stlsq"))
    assert field.chances["context_parroting"] == 1.0
    assert field.chances["best"] == field.chances["sindy"] > 0.5


def test_titles_of_boards_are_short():
    assert short("lorenz63") == "lorenz63"
    assert short("lorenz63, data(noise=0.05)") == "lorenz63, noise=0.05"
    assert short("timeseries(laser 47084034), data(embedding=6, lag=2)") == "laser"


def test_the_table_of_the_readme_is_that_of_the_board():
    found = overall(load_board(ROOT / "leaderboards" / "core").rank())
    assert section(found, "leaderboards/core") in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_of_findings_is_that_of_the_boards(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)
    main(Path("leaderboards"), None)
    page = max((ROOT / "docs").glob("results-*.md"))
    assert capsys.readouterr().out == page.read_text(encoding="utf-8")
