"""Simulated boards: false alarms are bounded, power is gained, and intervals cover."""

import math
from dataclasses import replace

import numpy as np
import pytest

from docs.generate import comparisons
from docs.generate.comparisons import LOGNORMAL, NEAR_FLOOR, NORMAL, TENFOLD
from docs.generate.markdown import replace_section
from docs.generate.simulated_boards import (
    Rates,
    coverage,
    equal_boards,
    new_test,
    old_test,
    orbit_boards,
    orbits_alone,
    unequal_boards,
)

BOARDS = 500
# A true rate of 5 % exceeds this in less than one of a thousand simulations (normal approximation of the binomial).
MOST = 0.05 + 3.1 * math.sqrt(0.05 * 0.95 / BOARDS)


@pytest.mark.parametrize("scores", [NORMAL, LOGNORMAL, NEAR_FLOOR], ids=lambda scores: scores.name)
@pytest.mark.parametrize(("seeds", "entries"), [(3, 2), (5, 2), (5, 8), (10, 2)])
@pytest.mark.parametrize("lost", [0.0, 0.4])
def test_the_truly_best_entry_is_marked_in_at_most_5_percent_of_boards(scores, seeds, entries, lost):
    drawn = equal_boards(scores, np.random.default_rng(0), boards=BOARDS, seeds=seeds, entries=entries, lost=lost)
    assert Rates.of(drawn, new_test, scores.scale).first <= MOST


@pytest.mark.parametrize("spread", [1 / 3, 3.0])
@pytest.mark.parametrize("entries", [2, 8])
def test_unequal_deviations_do_not_raise_the_rate_of_false_alarms(spread, entries):
    drawn = equal_boards(LOGNORMAL, np.random.default_rng(0), boards=BOARDS, seeds=5, entries=entries, spread=spread)
    assert Rates.of(drawn, new_test, LOGNORMAL.scale).first <= MOST


def test_a_tenfold_error_is_found_several_times_as_often_as_by_the_raw_scores():
    drawn = unequal_boards(LOGNORMAL, np.random.default_rng(0), boards=BOARDS, seeds=5, entries=2, shift=TENFOLD)
    old, new = (Rates.of(drawn, test, LOGNORMAL.scale).first for test in (old_test, new_test))
    assert new > 3 * old
    assert new > 0.5


def test_divergence_does_not_prevent_a_test_of_five_seeds():
    drawn = unequal_boards(
        LOGNORMAL, np.random.default_rng(0), boards=BOARDS, seeds=5, entries=8, shift=TENFOLD, lost=0.2, others_lost=0.2
    )
    assert Rates.of(drawn, old_test, LOGNORMAL.scale).untested > 0.5
    assert Rates.of(drawn, new_test, LOGNORMAL.scale).untested == 0


@pytest.mark.parametrize("seeds", [(1, 1), (5, 1), (1, 5)])
def test_entries_that_do_not_depend_on_the_seed_raise_no_more_false_alarms(seeds):
    drawn = orbit_boards(LOGNORMAL, np.random.default_rng(0), boards=BOARDS, orbits=4, seeds=seeds)
    assert Rates.of(drawn, new_test, LOGNORMAL.scale).first <= MOST
    if seeds != (1, 1):
        assert Rates.of(drawn, orbits_alone, LOGNORMAL.scale).first > MOST, "orbits do not show how seeds vary"


def test_only_the_interval_of_the_geometric_mean_covers_skewed_scores():
    """The simulation error of a coverage of 95 % is 0.5 %."""
    generator = np.random.default_rng(0)
    assert coverage(LOGNORMAL, generator, samples=2_000, seeds=5, logarithmic=True) == pytest.approx(0.95, abs=0.02)
    assert coverage(NORMAL, generator, samples=2_000, seeds=5, logarithmic=False) == pytest.approx(0.95, abs=0.02)
    assert coverage(LOGNORMAL, generator, samples=2_000, seeds=5, logarithmic=False) < 0.8


def test_a_third_of_the_scores_near_the_floor_lies_below_it():
    drawn = replace(NEAR_FLOOR).draw(np.random.default_rng(0), 10_000)
    assert np.mean(np.array(drawn.values) < NEAR_FLOOR.floor) == pytest.approx(1 / 3, abs=0.02)


def test_the_page_has_the_tables_that_the_program_makes():
    """Rows and columns of a small simulation are those of the page; the numbers are those of a large one."""
    page = comparisons.PAGE.read_text(encoding="utf-8")
    for line in comparisons.section(boards=2, samples=2).splitlines():
        if line.startswith("| "):
            words = [cell for cell in line.split(" | ") if not cell.strip("| ").replace(".", "").isdigit()]
            assert " | ".join(words[:2]) in page, line


def test_a_section_of_a_page_is_replaced_and_the_rest_kept(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- begin of the x -->\nold\n<!-- end of the x -->\nbelow\n")
    replace_section(page, "x", "new")
    assert page.read_text() == "above\n<!-- begin of the x -->\n\nnew\n\n<!-- end of the x -->\nbelow\n"
