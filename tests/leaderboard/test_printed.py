"""The ranking over systems, and two methods against each other, as printed tables with the numbers of the JSON."""

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from chaosbench.errors import SpecError
from chaosbench.leaderboard import legend, store
from chaosbench.leaderboard.layouts import LAYOUTS, Printed, harmless, markdown_escaped, to_html, to_latex, to_markdown
from chaosbench.leaderboard.overall import overall
from chaosbench.leaderboard.printed import (
    open_ranks,
    overall_table,
    ranking_text,
    versus_text,
    whole_percent,
)
from chaosbench.leaderboard.rank import rank
from chaosbench.leaderboard.versus import versus

PUBLISHED = Path(__file__).parents[2] / "leaderboards" / "theory"
HOSTILE = "<img src=x onerror=alert(1)> [click](http://evil.example) @everyone #12 `a` | b \\ $x$ _y_ & =1+1"


@pytest.fixture(scope="module")
def two_systems():
    """Return a ranking of two methods on two systems."""
    return rank(_methods(("first", "second"), store.read_all(PUBLISHED)))


def _methods(names, published):
    """Return the experiments of two systems, renamed so that each system has the same methods."""
    boards = {}
    for one in published:
        boards.setdefault(one.board, []).append(one)
    large = [own for own in boards.values() if len(own) >= len(names)][:2]
    return [
        replace(one, runs=tuple(run | {"model": name, "trainer": "t"} for run in one.runs))
        for own in large
        for name, one in zip(names, own, strict=False)
    ]


def test_a_table_over_systems_has_the_ranks_of_the_ranking(two_systems):
    found = overall(two_systems)
    table = overall_table(found)
    for cells, one in zip(table.body, found.standings, strict=True):
        assert cells[:3] == [str(one.tier), open_ranks(one.on_these), open_ranks(one.on_others)]
        assert cells[3:] == [one.model, one.trainer, whole_percent(one.wins), whole_percent(one.lost)]
    assert legend.WINS in table.caption


def test_the_csv_over_systems_has_all_digits(two_systems):
    rows = list(csv.DictReader(io.StringIO(ranking_text(two_systems, "csv", part="overall"))))
    for row, one in zip(rows, overall(two_systems).standings, strict=True):
        assert row["wins"] == repr(one.wins)
        assert (int(row["rank_low"]), int(row["rank_high"])) == one.on_these


@pytest.mark.parametrize("layout", ["markdown", "latex", "html"])
def test_both_parts_are_printed_unless_one_is_chosen(two_systems, layout: str):
    both = ranking_text(two_systems, layout)
    systems, over = (ranking_text(two_systems, layout, part=part) for part in ("systems", "overall"))
    assert both == "\n".join([systems, over])
    assert "noise floor" in systems
    assert "noise floor" not in over


def test_one_system_has_no_table_over_systems(two_systems):
    alone = rank(_methods(("first", "second"), store.read_all(PUBLISHED))[:2])
    assert "wins" not in ranking_text(alone, "markdown")
    with pytest.raises(SpecError, match="fewer than two systems"):
        ranking_text(alone, "markdown", part="overall")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_methods_have_a_line_per_system(two_systems, layout: str):
    found = versus(two_systems, ("first", "t"), ("second", "t"), metric=None, equal=0.05)
    text = versus_text(found, layout)
    for duel in found.duels:
        lines = [line for line in text.splitlines() if duel.title in line.replace("\\_", "_")]
        assert len(lines) == 1
        shown = repr(duel.probability) if layout == "csv" else whole_percent(duel.probability)
        assert shown in lines[0]


def test_a_hostile_name_is_text_in_every_layout():
    table = Printed(HOSTILE, ["model"], [[HOSTILE]], words=frozenset({0}), caption=HOSTILE)
    assert _texts(to_html([table])).count(HOSTILE) == 3
    markdown = to_markdown([table])
    assert "<img" not in markdown
    assert "](" not in markdown.replace("\\](", "")
    assert "@everyone" not in markdown
    assert len([line for line in markdown.splitlines() if line.startswith("|")]) == 3
    latex = to_latex([table]).replace(r"\textbackslash{}", "").replace(r"\#", "").replace(r"\$", "").replace(r"\&", "")
    assert not re.search(r"[#$&]", latex)


def test_markdown_leaves_ordinary_labels_as_they_are():
    plain = "lstm(hidden=16, loss=mse) 0.12 [0.1, 0.2] state_space_divergence"
    assert markdown_escaped(plain) == plain


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+cmd", "@SUM(A1)", "\tx", "\rx"])
def test_no_text_is_a_formula_and_numbers_stay_numbers(text: str):
    assert harmless(text) == f"'{text}"
    assert harmless(-1.5) == -1.5
    assert harmless("lstm") == "lstm"


def _texts(markup: str) -> list[str]:
    """Return the texts between the tags of a page."""
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_data = found.append
    parser.feed(markup)
    return found
