import json
import math
import subprocess
import sys
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from chaosbench.experiment import Record
from chaosbench.leaderboard import folder, store
from chaosbench.leaderboard.rank import rank


@pytest.fixture
def board(make_result, tmp_path):
    """Return the only board of results that keyword arguments describe."""

    def of(*results):
        for arguments in results:
            store.write(make_result(**arguments), tmp_path)
        (only,) = rank(store.read_all(tmp_path)).boards
        return only

    return of


def test_entries_are_ranked_by_the_median_of_the_first_metric(board):
    ranked = board({"divergences": [0.5, 0.6, 9.0], "model": "rnn"}, {"divergences": [0.7, 0.7, 0.7]})
    assert [(entry.rank, entry.model) for entry in ranked.entries] == [(1, "rnn"), (2, "lstm")]
    assert [measure.name for measure in ranked.measures] == ["state_space_divergence", "valid_prediction_time"]
    assert ranked.entries[0].scores[0].median == 0.6
    assert ranked.entries[0].scores[1].median == pytest.approx(1.4)


def test_one_kind_with_two_settings_is_two_entries(board):
    ranked = board({"divergences": [0.5]}, {"divergences": [0.4], "model": "wide"})
    assert [entry.model for entry in ranked.entries] == ["lstm(hidden=7)", "lstm"]


def test_a_diverged_seed_counts_as_worse_than_any_value(board):
    ranked = board({"divergences": [0.1, 0.2, None], "model": "rnn"}, {"divergences": [0.15, 0.16, 0.17]})
    lstm, rnn = ranked.entries
    assert (lstm.model, rnn.diverged, rnn.failed_share) == ("lstm", 1, pytest.approx(1 / 3))
    assert rnn.scores[0].values == (0.1, 0.2, None)
    assert rnn.scores[0].median == 0.2
    assert rnn.scores[1].median == 1.8, "the median of a metric that is better higher also counts it as worst"
    assert rnn.scores[0].interval is None, "the interval of the survivors would flatter"
    assert rnn.comparison.test.startswith("exact rank test")
    assert (rnn.tier, rnn.comparison.p_value) == ("tied", 0.35), "ranks 1, 5, 6; 7 of 20 sums of three reach 12"


def test_a_diverged_seed_counts_as_the_worst_whatever_number_is_stored(board):
    """Its free run left the data, and a finite score of it must not enter the median of any metric."""
    best, worst = board(
        {"divergences": [0.1, 0.2, 0.3], "statuses": ["ok", "diverged", "diverged"]},
        {"divergences": [0.4, 0.5, 0.6], "model": "rnn"},
    ).entries
    assert best.model == "rnn"
    assert [score.values for score in worst.scores] == [(0.1, None, None), (1.9, None, None)]
    assert [score.diverged for score in worst.scores] == [2, 2]


def test_an_undefined_score_is_the_worst_and_does_not_count_as_diverged(board):
    entry = board({"divergences": [0.1, None, None], "statuses": ["ok", "ok", "ok"]}).entries[0]
    assert (entry.diverged, entry.scores[0].diverged, entry.scores[0].median) == (0, 0, None)


def test_a_published_convention_comes_after_its_default_and_shares_stay_with_their_score(make_result, tmp_path):
    result, name = make_result([0.1, 0.2]), "state_space_divergence"
    default = [record for record in result.records if record.name == name]
    convention = [replace(record, name=f"{name}(convention=seed)") for record in default]
    shares = [
        replace(record, name=f"{name}.collapsed_share", value=0.25 * (1 + record.seed), floor=0.0, better="")
        for record in default
    ]
    store.write(replace(result, records=(*convention, *result.records, *shares)), tmp_path)
    (only,) = rank(store.read_all(tmp_path)).boards
    assert [measure.name for measure in only.measures] == [name, f"{name}(convention=seed)", "valid_prediction_time"]
    assert only.measures[0].details == {"collapsed_share": 0.0}
    assert [score.details for score in only.entries[0].scores] == [{"collapsed_share": 0.375}, {}, {}]


def test_an_entry_with_mostly_diverged_seeds_is_last(board):
    ranked = board({"divergences": [0.1, None, None], "model": "rnn"}, {"divergences": [15.0, 16.0, 14.0]})
    assert [(entry.rank, entry.model, entry.tier) for entry in ranked.entries] == [
        (1, "lstm", "best"),
        (2, "rnn", "tied"),
    ]
    assert ranked.entries[1].scores[0].median is None


def test_an_entry_whose_seeds_all_diverged_is_behind_where_there_are_enough_seeds(board):
    """Three against three reach p = 1/20, the level of two entries but not that of three."""
    entries = [{"divergences": [None] * 3, "model": "rnn"}, {"divergences": [15.0, 16.0, 14.0]}]
    assert [(entry.model, entry.tier) for entry in board(*entries).entries] == [("lstm", "best"), ("rnn", "behind")]
    three = board({"divergences": [0.1, 0.2, 0.3], "model": "wide"})
    assert [entry.tier for entry in three.entries] == ["best", "behind", "unclear"]
    assert three.entries[2].comparison.p_value is None
    assert "seeds" in three.entries[2].comparison.reason
    assert three.level == 0.025


def test_a_diverged_run_without_any_record_counts_too(board, make_result, tmp_path):
    result = make_result([0.1, None, None])
    result = type(result)(result.experiment, result.runs, tuple(r for r in result.records if r.value is not None))
    store.write(result, tmp_path)
    (entry,) = board().entries
    assert entry.scores[0].values == (0.1, None, None)
    assert entry.scores[0].median is None


def test_a_seed_without_a_result_is_counted_but_not_in_the_median(board):
    (entry,) = board({"divergences": [0.1, 0.3, None], "statuses": ["ok", "ok", "timeout"]}).entries
    assert (entry.seeds, entry.failed, entry.diverged) == (3, 1, 0)
    assert entry.scores[0].values == (0.1, 0.3)
    assert entry.scores[0].median == pytest.approx(0.2)


def test_an_entry_without_any_result_is_still_listed(board):
    ranked = board({"divergences": [None], "statuses": ["oom"], "model": "rnn"}, {"divergences": [3.0]})
    assert [(entry.rank, entry.model) for entry in ranked.entries] == [(1, "lstm"), (2, "rnn")]
    assert ranked.entries[1].scores == (None, None)
    assert ranked.entries[1].train_seconds is None


def test_results_without_any_score_make_a_board_without_metrics(board):
    ranked = board({"divergences": [None], "statuses": ["oom"]})
    assert ranked.measures == ()
    assert ranked.entries[0].rank == 1


def test_seeds_are_pooled_over_suites_and_a_seed_counts_once(board):
    ranked = board(
        {"divergences": [0.1, 0.2], "minutes": 0},
        {"divergences": [0.3, 0.4], "seeds": (1, 2), "minutes": 5, "suite": "again"},
    )
    (entry,) = ranked.entries
    assert ranked.suites == ("again", "toy")
    assert sorted(entry.scores[0].values) == [0.1, 0.3, 0.4], "of seed 1 the newer result"


def test_a_result_counts_before_a_newer_failure(board):
    ranked = board(
        {"divergences": [0.1, 0.2]},
        {"divergences": [None, 0.4], "statuses": ["crashed", "ok"], "seeds": (1, 2), "minutes": 5},
    )
    assert sorted(ranked.entries[0].scores[0].values) == [0.1, 0.2, 0.4]
    assert ranked.entries[0].failed == 0


def test_a_single_seed_has_a_median_but_no_interval_and_no_test(board):
    ranked = board({"divergences": [0.5]}, {"divergences": [0.4], "model": "rnn"})
    assert ranked.entries[1].scores[0].median == 0.5
    assert ranked.entries[1].scores[0].interval is None
    assert [entry.tier for entry in ranked.entries] == ["best", "unclear"]


def test_entries_without_a_significant_difference_are_tied(board):
    ranked = board(
        {"divergences": [0.5, 0.9, 0.7], "model": "rnn"},
        {"divergences": [0.6, 0.8, 1.0]},
        {"divergences": [5.0, 5.1, 5.2], "model": "wide"},
    )
    assert [entry.tier for entry in ranked.entries] == ["best", "tied", "behind"]


def test_equal_medians_share_a_rank(board):
    ranked = board(
        {"divergences": [0.5]}, {"divergences": [0.5], "model": "rnn"}, {"divergences": [1], "model": "wide"}
    )
    assert [(entry.rank, entry.tier) for entry in ranked.entries] == [(1, "best"), (1, "best"), (3, "unclear")]


def test_measures_have_units_and_noise_floors(board):
    ranked = board({"divergences": [0.5], "floor": 0.02})
    assert [(measure.unit, measure.better, measure.floor) for measure in ranked.measures] == [
        ("nats", "lower", 0.02),
        ("Lyapunov times", "higher", 0.02),
    ]


def test_intervals_of_a_metric_that_is_nowhere_negative_are_not_negative(board):
    """That of the geometric mean is symmetric around it on logarithms; that of a mean is cut off at zero."""
    (entry,) = board({"divergences": [0.01, 0.02, 1.9]}).entries
    low, high = entry.scores[0].interval
    assert low * high == pytest.approx((0.01 * 0.02 * 1.9) ** (2 / 3))
    assert entry.scores[1].interval[0] == 0.0


def test_training_time_is_the_median_over_seeds(board):
    (entry,) = board({"divergences": [0.1, 0.2, 0.3]}).entries
    assert entry.train_seconds == 3.0


def test_only_experiments_with_given_identities_are_ranked(make_result, board, tmp_path):
    board({"divergences": [0.5]}, {"divergences": [0.4], "model": "rnn"})
    (ranked,) = rank(store.read_all(tmp_path), identities={make_result([1], model="rnn").experiment.identity}).boards
    assert [entry.model for entry in ranked.entries] == ["rnn"]


def test_the_json_has_the_same_content(board, tmp_path):
    board({"divergences": [0.1, None, 0.3]}, {"divergences": [None], "statuses": ["oom"], "model": "rnn"})
    content = json.loads(rank(store.read_all(tmp_path)).to_json())
    entry = content["boards"][0]["entries"][0]
    assert entry["model"] == "lstm"
    assert entry["scores"][0] == {
        "values": [0.1, None, 0.3],
        "median": 0.3,
        "interval": None,
        "diverged": 1,
        "details": {},
        "orbits": [],
    }
    other = content["boards"][0]["entries"][1]
    assert (other["tier"], other["comparison"]["p_value"]) == ("unclear", None)
    assert content["boards"][0]["measures"][0]["logarithmic"] is True


def test_ranking_needs_neither_torch_nor_plugins(board, tmp_path):
    board({"divergences": [0.1, 0.2, 0.3]})
    code = (
        "import sys, pathlib; from chaosbench.leaderboard import store; from chaosbench.leaderboard.rank import rank; "
        f"assert rank(store.read_all(pathlib.Path({str(tmp_path)!r}))).boards; "
        "assert not {'torch', 'pluggy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_forecast_errors_are_compared_below_their_floor_too(make_result, tmp_path):
    """Their floor is the score of an unrelated orbit, the worst that is useful; that of other metrics is the best."""
    for model, values in (("lstm", [0.011, 0.012, 0.013]), ("rnn", [0.11, 0.12, 0.13])):
        result = make_result(values, model=model, floor=2.0)
        kept = [replace(record, name="prediction_error") for record in result.records if record.better == "lower"]
        store.write(replace(result, records=tuple(kept)), tmp_path / "forecasts")
        store.write(result, tmp_path / "free_runs")
    tiers = {}
    for kind in ("forecasts", "free_runs"):
        (only,) = rank(store.read_all(tmp_path / kind)).boards
        tiers[kind] = (only.measures[0].least, only.entries[1].tier)
    assert tiers == {"forecasts": (None, "behind"), "free_runs": (2.0, "tied")}


def _with_orbits(result, by_orbit):
    """Add scores of single test orbits, `(O,)`, the same for all seeds, to a result of equal seeds."""
    experiment = result.runs[0].experiment
    rows = [
        Record(experiment, run.seed, f"orbit.{orbit}.state_space_divergence", value, None, "nats", "", None)
        for run in result.runs
        for orbit, value in enumerate(by_orbit)
    ]
    return replace(result, records=(*result.records, *rows))


def test_entries_that_do_not_depend_on_the_seed_are_compared_over_test_orbits(make_result, tmp_path):
    worse, best = make_result([0.5] * 3, model="rnn"), make_result([0.1] * 3)
    store.write(_with_orbits(best, [0.1, 0.2, 0.1, 0.05]), tmp_path)
    store.write(_with_orbits(worse, [0.6, 0.8, 0.5, 0.2]), tmp_path)
    (only,) = rank(store.read_all(tmp_path)).boards
    assert [(entry.tier, entry.fixed) for entry in only.entries] == [("best", True), ("behind", True)]
    assert "orbits" in only.entries[1].comparison.test
    assert only.entries[0].scores[0].orbits == ((0.1, 0.2, 0.1, 0.05),) * 3


def test_equal_seeds_without_stored_orbits_are_not_tested(board):
    ranked = board({"divergences": [0.5] * 3}, {"divergences": [0.1] * 3, "model": "rnn"})
    assert [entry.tier for entry in ranked.entries] == ["best", "unclear"]
    assert "not stored" in ranked.entries[1].comparison.reason


def test_costs_are_those_of_an_update_and_of_the_batch(make_result, tmp_path):
    """100 updates of a batch of three seeds: the training time per seed is 2, 3 and 4 s."""
    result = make_result([0.1, 0.2, 0.3])
    runs = tuple(replace(run, seeds_together=3) for run in result.runs)
    store.write(replace(result, runs=runs), tmp_path)
    (entry,) = rank(store.read_all(tmp_path)).boards[0].entries
    assert (entry.seeds_together, entry.batch_seconds, entry.update_seconds) == ((3,), 9.0, 0.09)


def test_a_folder_of_an_earlier_version_counts_its_rows_as_the_seeds_of_a_batch(make_result, tmp_path):
    path = store.write(make_result([0.1, 0.2, 0.3]), tmp_path)
    table = pq.read_table(str(path / "runs.parquet")).drop_columns(["seeds_together", "ended"])
    pq.write_table(table, str(path / "runs.parquet"), write_page_checksum=True)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["runs.parquet"] = folder.sha256(path / "runs.parquet")
    (path / "manifest.json").write_text(json.dumps(manifest))
    (entry,) = rank(store.read_all(tmp_path)).boards[0].entries
    assert entry.seeds_together == (3,)
    assert math.isclose(entry.batch_seconds, 9.0)
