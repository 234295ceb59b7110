"""The page on the best forcing interval follows from stored scores."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from chaosbench.leaderboard.store import read_all
from docs.generate.forcing_interval import Cell, draw, page, page_of
from docs.generate.forcing_interval import cells as cells_of

MULTIPLES = (0.2, 0.4, 1.0)
SYSTEMS = tuple("abcdefgh")


def cell(system: str, values: dict[float, tuple[float | None, ...]], *, floor: float = 0.1) -> Cell:
    return Cell(system, "rnn", floor, values, dict.fromkeys(values, 0.25))


def cells(medians: tuple[float, float, float]) -> list[Cell]:
    """Return cells of three seeds whose medians are `medians`, up to a factor that differs between systems."""
    return [
        cell(system, {m: (0.5 * v * n, v * n, 9 * v * n) for m, v in zip(MULTIPLES, medians, strict=True)})
        for n, system in enumerate(SYSTEMS, start=1)
    ]


@pytest.mark.parametrize("best", range(3))
def test_the_interval_with_the_lowest_scores_is_the_best(best: int):
    medians = tuple(1.0 if index == best else 4.0 for index in range(3))
    text = page(cells(medians), seconds=7200.0, budget="3 seeds")
    assert f"by its mean rank, is {MULTIPLES[best]:g} tau_pred" in text
    assert f"| {MULTIPLES[best]:g} | 1.00 | 1.00 | 8 of 8 |" in text
    assert "2.0 hours" in text


def test_equal_intervals_are_not_distinguished_and_eight_of_eight_are():
    """One-sided Wilcoxon with 8 cells of one sign: p = 2^-8 = 0.004."""
    text = page(cells((1.0, 1.0, 3.0)), seconds=1.0, budget="3 seeds")
    assert "not distinguished from 0.2: 0.4." in text
    assert "| 1 | 3.00 | 3.00 | 0 of 8 | 25 % | 0.004 |" in text


def test_a_median_that_falls_on_a_diverged_seed_counts_as_the_worst_score_on_its_system():
    lost = replace(cell("a", {0.2: (1.0, None, None), 0.4: (1.0, 2.0, None), 1.0: (5.0, 5.0, 5.0)}), worst=9.0)
    assert lost.medians() == {0.2: math.inf, 0.4: 2.0, 1.0: 5.0}
    assert lost.excess()[0.2] == pytest.approx(math.log(9.0))
    assert lost.excess()[1.0] == pytest.approx(math.log(5.0))


def test_cells_without_every_interval_are_named_and_left_out():
    text = page([*cells((1.0, 2.0, 3.0)), cell("z", {0.2: (0.5,)})], seconds=1.0, budget="")
    assert "over 8 cells" in text
    assert "rnn on z" in text


def test_one_extreme_cell_does_not_decide():
    """The mean of logarithms prefers 0.4 here, the mean rank 0.2."""
    extreme = cell("z", {0.2: (1e9,), 0.4: (1.0,), 1.0: (2.0,)})
    assert "by its mean rank, is 0.2 tau_pred" in page([*cells((1.0, 1.1, 3.0)), extreme], seconds=1.0, budget="")


def test_scores_below_the_floor_count_as_the_floor():
    low = cell("a", {0.2: (0.01,), 1.0: (0.1,)})
    assert low.excess() == pytest.approx({0.2: math.log(0.1), 1.0: math.log(0.1)})


def test_the_picture_has_a_panel_for_each_system(tmp_path: Path):
    pytest.importorskip("matplotlib")
    draw(cells((1.0, 2.0, math.inf))[:3], tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000


BOARD = Path(__file__).parents[2] / "leaderboards" / "forcing-interval"
PAGE = Path(__file__).parents[2] / "docs" / "forcing-interval.md"


@pytest.mark.skipif(not PAGE.exists(), reason="an installed copy has no docs")
def test_the_page_in_the_docs_is_that_of_the_board():
    """To update the page: python -m docs.generate.forcing_interval leaderboards/forcing-interval."""
    assert PAGE.read_text(encoding="utf-8") == page_of(BOARD)


@pytest.mark.skipif(not PAGE.exists(), reason="an installed copy has no docs")
def test_every_seed_of_the_board_counts_though_the_seeds_of_an_interval_are_several_experiments():
    runs = [run for stored in read_all(BOARD) for run in stored.runs]
    counts = [len(values) for cell in cells_of(BOARD) for values in cell.scores.values()]
    assert sum(counts) == len(runs)
    assert set(counts) == {len({run["seed"] for run in runs})}, "every cell has every seed"
