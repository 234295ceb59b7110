"""Published results and ours: every row has its experiment, and a gap follows from the scores of the seeds."""

from math import log
from pathlib import Path
from statistics import fmean

import pytest
import torch

from chaosbench import registry, suite
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.store import read_all
from chaosbench.metrics import state_space_divergence
from docs.generate.claims import claims_page, judged, told_apart
from docs.generate.faithfulness import _different, page
from docs.generate.published import (
    Claim,
    Comparison,
    Measure,
    Published,
    Scores,
    compared,
    newest_first,
    published,
    repeating,
)

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "leaderboards" / "faithful"
MEASURE = Measure(name="state_space_divergence", title="D_stsp", unit="nats", miss=5.0)
kept = pytest.mark.skipif(not TABLES.exists(), reason="an installed copy has no tables")


def scores(*values: float | None, theirs: tuple[float, ...] = (), floor: float | None = 0.01) -> Scores:
    return Scores(MEASURE, values, floor, theirs)


def comparison(name: str, *values: float | None, updates: int = 1_000, length: int = 100) -> Comparison:
    """Return a row whose seeds have these scores; without values it was not run."""
    runs = tuple({"status": "diverged" if value is None else "ok"} for value in values)
    trainer = {"updates": updates, "sequence_length": length, "batch": 32}
    stored = Stored(Path(name), name, {"trainer": trainer}, runs, ()) if values else None
    return Comparison(Published(name=name, experiment={}), stored, (scores(*values),), scores(*values))


@kept
def test_the_page_in_the_docs_is_what_the_command_prints():
    """To update the page: python -m docs.generate.faithfulness leaderboards/faithful > docs/faithfulness.md."""
    assert (ROOT / "docs" / "faithfulness.md").read_text(encoding="utf-8") == page(TABLES)


@kept
def test_the_stored_tables_belong_to_the_shipped_suite_and_are_small():
    shipped = {(e.system.label, e.data.label, e.model.label, e.trainer.label) for e in FAITHFUL}
    for stored in read_all(TABLES):
        run = stored.runs[0]
        assert (run["system"], run["data"], run["model"], run["trainer"]) in shipped
    assert sum(path.stat().st_size for path in TABLES.rglob("*") if path.is_file()) < 5e6


FAITHFUL = suite.load("faithful", registry.load())


def test_each_row_is_repeated_by_one_experiment_of_the_suite_and_each_experiment_repeats_one_row():
    contents = [experiment.model_dump(mode="json") for experiment in FAITHFUL]
    run = {"status": "ok", "seed": 0}
    stored = [Stored(Path(), "", content, (run,), ()) for content in contents]
    rows = [row for section in published().sections for row in section.rows]
    repeats = [[k for k, experiment in enumerate(stored) if [*repeating(row, [experiment])]] for row in rows]
    assert all(len(indices) == 1 for indices in repeats)
    assert sorted(k for (k,) in repeats) == list(range(len(stored)))


def test_every_row_has_a_score_of_every_measure_of_its_section():
    recorded = {metric.label for experiment in FAITHFUL for metric in experiment.metrics}
    names = [row.name for section in published().sections for row in section.rows]
    assert len(names) == len(set(names))
    for section in published().sections:
        for measure in section.measures:
            assert measure.name in recorded or measure.name.startswith("portrait.")
        assert all(len(row.theirs) in (0, len(section.measures)) for row in section.rows)


def test_every_claim_is_about_rows_that_exist():
    names = {row.name for section in published().sections for row in section.rows}
    for claim in published().claims:
        assert {name for pair in claim.pairs for name in pair} <= names


def test_every_claim_has_controls_at_equal_updates_and_at_equal_observations():
    """Each row called worse is compared with training of its updates and length, and of its number of observations."""
    contents = [experiment.model_dump(mode="json") for experiment in FAITHFUL]
    run = {"status": "ok", "seed": 0, "started": 0}
    stored = [Stored(Path(), "", content, (run,), ()) for content in contents]
    every = {row.published.name: row for section in published().sections for row in compared(section, stored)}
    for claim in published().claims:
        budgets = [(worse, every[better].budget, every[worse].budget) for better, worse in claim.pairs]
        for name in {worse for _, worse in claim.pairs}:
            pairs = [(one, other) for worse, one, other in budgets if worse == name]
            assert any(one == other for one, other in pairs), (claim.text, name)
            assert any(one.observations == other.observations for one, other in pairs), (claim.text, name)


@pytest.mark.parametrize(
    ("row", "gap"),
    [
        (scores(), "not run"),
        (scores(None, None), "none published"),
        (scores(None, None, 0.1, theirs=(1.0, 0.1)), "higher"),
        (scores(None, None, None, theirs=(7.0, 0.1)), "both miss"),
        (scores(0.2, 0.3, 0.4), "none published"),
        # The half width of 0.9, 1.0, 1.1 is 4.303 * 0.1 / sqrt(3) = 0.248, with 2 * 0.05 of theirs 0.268.
        (scores(0.9, 1.0, 1.1, theirs=(1.26, 0.05)), "within"),
        (scores(0.9, 1.0, 1.1, theirs=(1.27, 0.05)), "lower"),
        (scores(0.9, 1.0, 1.1, theirs=(0.74, 0.05)), "within"),
        (scores(0.9, 1.0, 1.1, theirs=(0.73, 0.05)), "higher"),
        (scores(0.9, 1.0, 1.1, theirs=(1.31,)), "within"),  # a single run varies as ours: sqrt(0.248² + 0.2²) = 0.319
        (scores(0.9, 1.0, 1.1, theirs=(1.33,)), "lower"),
        (scores(0.5, 1.0, 1.5, theirs=(1.0, 0.05)), "cannot be told"),  # 1.246 is more than half of 1.0
        (scores(1.0, theirs=(1.0, 0.05)), "cannot be told"),
        (scores(0.9, 1.0, 1.1, None, theirs=(1.0, 0.05)), "cannot be told"),  # the diverged seed is worse
        (scores(0.9, 1.0, 1.1, None, theirs=(3.0, 0.05)), "cannot be told"),
        (scores(0.9, 1.0, 1.1, None, theirs=(0.2, 0.05)), "higher"),
        (scores(0.004, 0.005, 0.9, theirs=(0.3, 0.01)), "at the floor"),
        (scores(0.020, 0.021, 0.022, theirs=(0.3, 0.02), floor=0.0200), "at the floor"),  # 1.05 of it
        (scores(0.020, 0.021, 0.022, theirs=(0.3, 0.02), floor=0.0190), "lower"),
        (scores(0.1, 3.0, 9.0, theirs=(8.0, 0.1), floor=0.01), "cannot be told"),
        (scores(8.0, None, None, theirs=(7.0, 0.1)), "both miss"),
        (scores(8.0, 9.0, 4.0, theirs=(7.0, 0.1)), "both miss"),
        (scores(8.0, 8.1, 8.2, theirs=(1.0, 0.1)), "higher"),
        (scores(1.0, 1.1, 1.2, theirs=(8.0, 0.1)), "lower"),
    ],
)
def test_the_kind_of_a_gap_follows_from_the_scores_of_the_seeds(row: Scores, gap: str):
    assert row.gap == gap


def test_a_diverged_seed_counts_as_worse_than_any():
    assert scores(0.1, None, 0.3).median == 0.3
    assert scores(0.1, None, None).median is None


LOW, HIGH, WIDE = (1.0, 1.1, 1.2, 1.3, 1.4), (20.0, 21.0, 22.0, 23.0, 24.0), (0.5, 1.0, 2.0, 4.0, 8.0)


def verdict_on(*pairs: tuple[str, str], factor: float = 1.0, **rows: Comparison) -> str:
    claim = Claim(text="", comparisons=[{"row": one, "rows": [other]} for one, other in pairs], factor=factor)
    return judged(claim, rows)[0]


@pytest.mark.parametrize(
    ("better", "worse", "factor", "outcome"),
    [
        (LOW, HIGH, 1, "holds"),
        (LOW, HIGH, 10, "holds"),
        (LOW, HIGH, 30, "does not hold"),
        (HIGH, LOW, 1, "does not hold"),
        (LOW, WIDE, 1, "ordered so, not told apart"),
        (WIDE, LOW, 1, "cannot be told"),
        (LOW, LOW, 1, "cannot be told"),
        (LOW, WIDE, 10, "cannot be told"),
        ((1.0,), (9.0,), 1, "cannot be told"),  # a single seed has no test
    ],
)
def test_the_verdict_on_two_rows_needs_an_order_and_a_test(better, worse, factor, outcome):
    rows = {"a": comparison("a", *better), "b": comparison("b", *worse)}
    assert verdict_on(("a", "b"), factor=factor, **rows) == outcome


def test_two_rows_of_which_all_seeds_failed_are_not_ordered():
    rows = {"a": comparison("a", None, None, None), "b": comparison("b", None, None, None)}
    assert verdict_on(("a", "b"), factor=10, **rows) == "cannot be told"


def test_a_claim_has_the_weakest_verdict_of_its_pairs():
    rows = {"a": comparison("a", *LOW), "b": comparison("b", *HIGH), "c": comparison("c", *WIDE)}
    assert verdict_on(("a", "b"), ("a", "c"), **rows) == "ordered so, not told apart"
    assert verdict_on(("a", "b"), ("b", "a"), **rows) == "does not hold"


def test_a_claim_without_both_controls_does_not_hold():
    """Fewer updates on longer sequences give equal observations alone; the same updates on longer ones neither."""
    low, high = comparison("a", *LOW), comparison("b", *HIGH, updates=100, length=1_000)
    assert verdict_on(("a", "b"), a=low, b=high) == "cannot be told"
    same = comparison("c", *LOW, updates=100, length=1_000)
    assert verdict_on(("a", "b"), ("c", "b"), a=low, b=high, c=same) == "holds"
    fails_alike = comparison("c", *HIGH, updates=100, length=1_000)
    assert verdict_on(("a", "b"), ("c", "b"), a=low, b=high, c=fails_alike) == "cannot be told"


def test_a_claim_about_rows_that_were_not_run_cannot_hold():
    rows = {"a": comparison("a", *LOW), "b": comparison("b", *HIGH), "c": comparison("c")}
    assert verdict_on(("a", "c"), **rows) == "not run"
    assert verdict_on(("a", "b"), ("a", "c"), **rows) == "cannot be told"


def test_the_table_of_claims_has_the_budgets():
    """1,000 updates of 32 sequences of 100 steps are 3.2 million observations."""
    rows = {"a": comparison("a", *LOW), "b": comparison("b", *HIGH)}
    text = claims_page([Claim(text="a beats b", comparisons=[{"row": "a", "rows": ["b"]}])], rows)
    assert "1,000 x 100 x 32 = 3.2 million" in text
    assert told_apart(rows["a"].default, rows["b"].default)


def test_settings_that_differ_are_found_level_by_level():
    theirs = {"trainer": {"updates": 3, "clip_norm": "none", "steps": [1, 2]}, "model": {"hidden": 30}, "unknown": 5}
    ours = {"trainer": {"updates": 2, "clip_norm": None, "steps": [1, 3]}, "model": {"hidden": 30}}
    assert list(_different(theirs, ours)) == [("trainer.updates", 3, 2), ("trainer.steps", (1, 2), (1, 3))]


@kept
def test_our_scores_are_the_numbers_of_the_stored_tables():
    """Compare the mean over the seeds of a row with records that are read without the page's code."""
    (section, *_) = published().sections
    (row,) = [row for row in compared(section, newest_first(TABLES)) if row.published.name == "RNN, tau = 30"]
    settings = {"kind": "sparse_teacher_forcing", "interval": 30, "updates": 15_000, "sequence_length": 100}
    (stored,) = [
        experiment
        for experiment in read_all(TABLES)
        if experiment.runs[0]["model"] == "rnn" and settings.items() <= experiment.experiment["trainer"].items()
    ]
    values = [
        record["value"] for record in stored.records if record["name"] == "state_space_divergence(convention=seed)"
    ]
    assert fmean(row.scores[0].numbers) == pytest.approx(fmean(values))


@pytest.mark.parametrize("points", [1, 10])
def test_the_score_of_a_run_that_leaves_the_histogram_depends_on_how_long_it_stayed(points: int):
    """The score is -H(p) - ln q, with q = 1e-5 / (n + 1e-2) in each of 10^3 cells that n points elsewhere leave empty.

    The truth visits the 8 corners of a cube equally often, so that H = ln 8; its own smoothing of empty cells changes
    the score by 1e-5 / 8 for each. The paper's orbit has H = 3.7, so that the score is 7.8, or less if the points lie
    in cells that the truth visits.
    """
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 3)
    truth, left = corners.repeat(100, 1), torch.full((800, 3), 9.0, dtype=torch.float64)
    left[:points] = 0.1
    divergence = state_space_divergence(left, truth, convention="seed")
    assert float(divergence) == pytest.approx(-log(8) - log(1e-5 / (points + 1e-2)), abs=2e-3)
    assert state_space_divergence(left[points:], truth, convention="seed").isnan()
