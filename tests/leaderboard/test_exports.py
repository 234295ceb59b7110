"""Tables of a ranking for papers and notebooks: the numbers are those of the JSON."""

import csv
import io
import json

import pandas
import pytest

from chaosbench.leaderboard import store
from chaosbench.leaderboard.rank import rank


@pytest.fixture
def ranking(make_result, tmp_path):
    store.write(make_result([0.5, 0.6, 0.7]), tmp_path)
    store.write(make_result([0.9, None, 1.1], model="wide"), tmp_path)
    store.write(make_result([None, None], model="rnn"), tmp_path)
    return rank(store.read_all(tmp_path))


def test_the_csv_has_all_digits_of_every_score(ranking):
    rows = list(csv.DictReader(io.StringIO(ranking.to_csv())))
    (board,) = json.loads(ranking.to_json())["boards"]
    scores = [(entry["model"], score) for entry in board["entries"] for score in entry["scores"]]
    assert len(rows) == len(scores)
    for row, (model, score) in zip(rows, scores, strict=True):
        assert row["model"] == model
        assert row["median"] == ("" if score["median"] is None else repr(score["median"]))
        assert (row["low"], row["high"]) == tuple(map(repr, score["interval"] or ())) or not score["interval"]


def test_markdown_and_latex_have_a_line_per_entry_with_its_interval(ranking):
    (board,) = ranking.boards
    low, high = board.entries[0].scores[0].interval
    for text, mark in ((ranking.to_markdown(), "|"), (ranking.to_latex(), "&")):
        lines = [line for line in text.splitlines() if "bptt" in line]
        assert len(lines) == len(board.entries)
        assert len({line.count(mark) for line in lines}) == 1
        assert f"[{low:.3f}, {high:.3f}]" in lines[0]
        assert "diverged" in lines[-1]


def test_latex_has_no_bare_special_characters(ranking):
    body = ranking.to_latex().replace(r"\_", "").replace(r"\%", "").replace(r"\#", "")
    assert not set("_%#") & set(body)
    assert body.count(r"\begin{") == body.count(r"\end{")


def test_a_data_frame_has_a_row_per_entry_and_metric(ranking):
    frame = ranking.to_pandas()
    assert len(frame) == len(ranking.rows())
    assert frame["median"].isna().sum() == sum(row["median"] is None for row in ranking.rows())
    assert isinstance(frame, pandas.DataFrame)
