"""A metric whose floor is more than half the score of a run at rest does not rank."""

from dataclasses import replace

import pytest
from rich.console import Console

from chaosbench.experiment import Record
from chaosbench.leaderboard import store
from chaosbench.leaderboard.rank import rank
from chaosbench.terminal.ranking import ranking_table


def with_rest(result, at_rest):
    """Return a result with the score of a run at rest beside its state-space divergence, whose floor is 7 nats."""
    digest = result.experiment.digest()
    detail = [
        Record(digest, run.seed, "state_space_divergence.at_rest", at_rest, at_rest, "1", "", None)
        for run in result.runs
    ]
    return replace(result, records=(*result.records, *detail))


@pytest.mark.parametrize(("at_rest", "first"), [(12.0, "valid_prediction_time"), (14.5, "state_space_divergence")])
def test_a_metric_without_resolution_comes_last_and_does_not_rank(make_result, tmp_path, at_rest, first):
    """A model that draws from the data at random is at the floor, 7 nats; times are 2 minus the divergence."""
    for model, divergences in (("rnn", [7.0, 7.1, 7.2]), ("lstm", [7.4, 7.5, 7.6])):
        store.write(with_rest(make_result(divergences, model=model, floor=7.0), at_rest), tmp_path)
    ranking = rank(store.read_all(tmp_path))
    (board,) = ranking.boards
    assert board.measures[0].name == first
    assert {measure.name: measure.resolved for measure in board.measures}["state_space_divergence"] == (at_rest > 14)


def test_the_table_says_why_a_metric_does_not_rank(make_result, tmp_path):
    store.write(with_rest(make_result([7.0, 7.1], floor=7.0), 12.0), tmp_path)
    console = Console(width=120, record=True)
    console.print(ranking_table(rank(store.read_all(tmp_path))))
    assert "does not rank" in console.export_text()
