"""Copies of a results directory without weights and forecasts."""

import pytest

from chaosbench.errors import StoreError
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import read, weights
from chaosbench.leaderboard.rank import rank
from chaosbench.leaderboard.tables import keep_tables


def test_copied_tables_are_read_and_ranked_like_the_results(make_result, tmp_path):
    results, kept = tmp_path / "results", tmp_path / "kept"
    folders = [store.write(make_result([0.5, None, 0.25], model=model), results) for model in ("lstm", "rnn")]
    keep_tables(results, kept)
    assert rank(store.read_all(kept)) == rank(store.read_all(results))
    for folder in folders:
        stored, copy = read(folder), read(kept / folder.name)
        assert (stored.experiment, stored.runs, stored.records) == (copy.experiment, copy.runs, copy.records)


def test_weights_and_forecasts_are_not_copied(make_result, tmp_path):
    folder = store.write(make_result([0.5]), tmp_path / "results")
    (kept,) = keep_tables(tmp_path / "results", tmp_path / "kept")
    assert kept.name == folder.name
    assert {path.name for path in kept.iterdir()} == {"manifest.json", "spec.json", "runs.parquet", "records.parquet"}
    with pytest.raises(StoreError, match="damaged"):
        weights(kept)


def test_a_folder_of_that_name_is_replaced_and_others_stay(make_result, tmp_path):
    results, kept = tmp_path / "results", tmp_path / "kept"
    store.write(make_result([0.5]), results)
    (kept / "other").mkdir(parents=True)
    (first,) = keep_tables(results, kept)
    (first / "left.txt").write_text("from before")
    keep_tables(results, kept)
    assert not (first / "left.txt").exists()
    assert (kept / "other").exists()


def test_only_the_given_suite_is_copied(make_result, tmp_path):
    results = tmp_path / "results"
    store.write(make_result([0.5], suite="toy"), results)
    store.write(make_result([0.5], suite="other", model="rnn"), results)
    (kept,) = keep_tables(results, tmp_path / "kept", suite="other")
    assert read(kept).runs[0]["suite"] == "other"
    with pytest.raises(StoreError, match="no experiment of the suite 'third'"):
        keep_tables(results, tmp_path / "kept", suite="third")


def test_a_directory_is_not_copied_onto_itself(make_result, tmp_path):
    folder = store.write(make_result([0.5]), tmp_path)
    with pytest.raises(StoreError, match="onto itself"):
        keep_tables(tmp_path, tmp_path)
    assert weights(folder)


def test_a_damaged_file_is_not_copied(make_result, tmp_path):
    folder = store.write(make_result([0.5]), tmp_path / "results")
    (folder / "records.parquet").write_bytes(b"not a table")
    with pytest.raises(StoreError, match="damaged"):
        keep_tables(tmp_path / "results", tmp_path / "kept")
