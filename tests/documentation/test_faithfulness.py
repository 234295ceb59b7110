"""Published results and ours: every row has its experiment, and a gap follows from the scores of the seeds."""

from math import log
from pathlib import Path
from statistics import fmean

import pytest
import torch

from chaosbench import registry, suite
from chaosbench.leaderboard.folder import Stored, read
from chaosbench.leaderboard.store import folders
from chaosbench.metrics import state_space_divergence
from docs.generate.faithfulness import _different, _verdict, page
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


def comparison(name: str, *values: float | None) -> Comparison:
    """Return a row whose seeds have these scores; without values it was not run."""
    runs = tuple({"status": "diverged" if value is None else "ok"} for value in values)
    stored = Stored(Path(name), name, {}, runs, ()) if values else None
    return Comparison(Published(name=name, experiment={}), stored, (scores(*values),))


@kept
def test_the_page_in_the_docs_is_what_the_command_prints():
    """To update the page: python -m docs.generate.faithfulness leaderboards/faithful > docs/faithfulness.md."""
    assert (ROOT / "docs" / "faithfulness.md").read_text(encoding="utf-8") == page(TABLES)


@kept
def test_the_stored_tables_belong_to_the_shipped_suite_and_are_small():
    shipped = {(e.system.label, e.data.label, e.model.label, e.trainer.label) for e in FAITHFUL}
    for folder in folders(TABLES):
        run = read(folder).runs[0]
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
        assert {*claim.rows, *([claim.row] if claim.row else [])} <= names


@pytest.mark.parametrize(
    ("row", "gap"),
    [
        (scores(), "not run"),
        (scores(None, None), "none published"),
        (scores(None, None, 0.1, theirs=(1.0, 0.1)), "higher"),
        (scores(None, None, None, theirs=(7.0, 0.1)), "both miss"),
        (scores(0.2, 0.3, 0.4), "none published"),
        (scores(0.9, 1.0, 1.1, theirs=(1.15, 0.05)), "within"),  # 0.15 of 2 * sqrt(0.1² / 3 + 0.05²) = 0.153
        (scores(0.9, 1.0, 1.1, theirs=(1.16, 0.05)), "lower"),
        (scores(0.9, 1.0, 1.1, theirs=(0.84, 0.05)), "higher"),
        (scores(0.9, 1.0, 1.1, theirs=(1.22,)), "within"),  # a single run: 2 * sqrt(0.1² / 3 + 0.1²) = 0.231
        (scores(0.9, 1.0, 1.1, theirs=(1.24,)), "lower"),
        (scores(0.004, 0.005, 0.9, theirs=(0.3, 0.01)), "at the floor"),
        (scores(0.020, 0.021, 0.022, theirs=(0.3, 0.02), floor=0.0200), "at the floor"),  # 1.05 of it
        (scores(0.020, 0.021, 0.022, theirs=(0.3, 0.02), floor=0.0190), "lower"),
        (scores(0.1, 3.0, 9.0, theirs=(8.0, 0.1), floor=0.01), "within"),
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


@pytest.mark.parametrize(
    ("claim", "rows", "verdict"),
    [
        ({"kind": "least", "row": "a", "rows": ("b", "c")}, {"a": [1, 2, 3], "b": [2.5], "c": [None]}, "holds"),
        ({"kind": "least", "row": "a", "rows": ("b", "c")}, {"a": [1, 2, 3], "b": [1], "c": [9]}, "does not hold"),
        ({"kind": "least", "row": "a", "rows": ("b", "c")}, {"a": [1], "b": [2], "c": []}, "holds"),
        ({"kind": "least", "row": "a", "rows": ("b",)}, {"a": [], "b": [2]}, "not run"),
        ({"kind": "ascending", "rows": ("a", "b", "c")}, {"a": [1, 1], "b": [2, 3], "c": [3, 5]}, "holds"),
        ({"kind": "ascending", "rows": ("a", "b", "c")}, {"a": [1, 1], "b": [4, 5], "c": [3, 3]}, "does not hold"),
        ({"kind": "ascending", "rows": ("a", "b", "c")}, {"a": [1], "b": [2], "c": []}, "not run"),
        ({"kind": "far above", "row": "a", "rows": ("b", "c")}, {"a": [0.5], "b": [5], "c": [None]}, "holds"),
        ({"kind": "far above", "row": "a", "rows": ("b", "c")}, {"a": [0.5], "b": [4.9], "c": [9]}, "does not hold"),
        ({"kind": "far above", "row": "a", "rows": ("b",)}, {"a": [0.5], "b": []}, "not run"),
    ],
)  # fmt: skip
def test_a_claim_holds_or_not_for_the_medians(claim: dict, rows: dict, verdict: str):
    every = {name: comparison(name, *values) for name, values in rows.items()}
    assert _verdict(Claim(text="", **claim), every)[0] == verdict


def test_the_verdict_names_rows_that_were_not_run():
    every = {"a": comparison("a", 1.0), "b": comparison("b", 2.0), "c": comparison("c")}
    claim = Claim(text="", kind="least", row="a", rows=("b", "c"))
    assert _verdict(claim, every) == ("holds", "a: 1; b: 2 (not run: c)")


def test_a_claim_that_does_not_hold_reports_whether_the_difference_is_significant():
    claim = Claim(text="", kind="least", row="a", rows=("b", "c"))
    every = {"a": comparison("a", 1.0, 1.1, 1.2), "b": comparison("b", 0.1, 1.0, 1.9), "c": comparison("c", 9.0)}
    assert _verdict(claim, every)[1].endswith("a and b do not differ significantly by Welch's t-test")
    every["b"] = comparison("b", 0.1, 0.1, 0.2)
    assert _verdict(claim, every)[1].endswith("a and b differ significantly by Welch's t-test")
    every["b"] = comparison("b", 0.1, 0.1, None)
    assert _verdict(claim, every)[1].endswith("a and b: no test, because a seed diverged")


def test_settings_that_differ_are_found_level_by_level():
    theirs = {"trainer": {"updates": 3, "clip_norm": "none", "steps": [1, 2]}, "model": {"hidden": 30}, "unknown": 5}
    ours = {"trainer": {"updates": 2, "clip_norm": None, "steps": [1, 3]}, "model": {"hidden": 30}}
    assert list(_different(theirs, ours)) == [("trainer.updates", 3, 2), ("trainer.steps", (1, 2), (1, 3))]


@kept
def test_our_scores_are_the_numbers_of_the_stored_tables():
    """Compare the mean over the seeds of a row with records that are read without the page's code."""
    (section, *_) = published().sections
    (row,) = [row for row in compared(section, newest_first(TABLES)) if row.published.name == "RNN, tau = 30"]
    settings = {"kind": "sparse_teacher_forcing", "interval": 30, "updates": 15_000}
    (stored,) = [
        experiment
        for experiment in map(read, folders(TABLES))
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
