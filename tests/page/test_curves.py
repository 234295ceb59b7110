"""Pictures of single runs hold what is stored: series over training, else scores on single test orbits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_submissions import claimed, written

from chaosbench.leaderboard.submissions import read_submission
from chaosbench.page.curves import LEVELS, POINTS, _coded, pictures


def levels(letters: str) -> list[int]:
    """Return the levels of a coded series, as the page reads them."""
    return [ord(letter) - 48 for letter in letters if letter != " "]


def test_runs_without_series_show_their_scores_on_test_orbits(tmp_path):
    submission = read_submission(written(tmp_path, claimed()))
    found = pictures([submission])
    assert len(found) == 15
    first = submission.experiments[0]
    picture = found[f"0:{first.runs[0]['experiment'][:16]}:0"]
    stored = [row["value"] for row in first.records if row["seed"] == 0 and row["name"].startswith("orbit.")]
    shown = [value for values in picture["orbits"].values() for value in values]
    assert sorted(shown) == pytest.approx(sorted(stored), rel=5e-3)


def test_a_run_with_a_series_shows_it_and_not_its_orbits(tmp_path):
    first, *others = claimed()
    loss = [
        {**first.records[0], "name": "loss", "value": 1 / (1 + update), "better": "", "update": update}
        for update in range(0, 500, 5)
    ]
    longer = type(first)(
        first.folder, first.identity, first.experiment, first.runs, (*first.records, *loss), first.sources
    )
    found = pictures([read_submission(written(tmp_path, [longer, *others]))])
    (low, high, logarithmic, last, letters) = found[f"0:{first.runs[0]['experiment'][:16]}:0"]["series"]["loss"]
    assert (low, high, logarithmic, last) == (pytest.approx(1 / 496, rel=5e-3), 1.0, True, 495)
    assert len(letters) == POINTS
    assert levels(letters) == sorted(levels(letters), reverse=True), "the loss falls"


def test_numbers_at_the_ends_of_the_range_have_levels():
    *_, letters = _coded(list(enumerate([-1.7e308, 0.0, 1.7e308])))
    assert levels(letters) == [0, 32, 63]


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), min_size=1, max_size=200))
def test_a_coded_series_spans_the_picture_and_leaves_gaps_where_numbers_are_not_finite(values):
    coded = _coded(list(enumerate(values)))
    if coded is None:
        return
    low, high, _, last, letters = coded
    assert last == len(values) - 1
    assert len(letters) == min(len(values), POINTS)
    assert all(0 <= level < LEVELS for level in levels(letters))
    assert low <= high or math.isclose(low, high, rel_tol=1e-2)
    if len(values) <= POINTS:
        gaps = [value is None or not math.isfinite(value) for value in values]
        assert [letter == " " for letter in letters] == gaps
