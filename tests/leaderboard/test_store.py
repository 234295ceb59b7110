import json
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from chaosbench.errors import StoreError
from chaosbench.experiment import Record, Run
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import forecast, read, weights
from chaosbench.leaderboard.schema import RECORDS, RUNS


def test_a_written_result_is_read_back(make_result, tmp_path):
    result = make_result([0.5, None, 0.25])
    stored = read(store.write(result, tmp_path))
    assert stored.experiment == result.experiment.model_dump(mode="json")
    assert stored.identity == result.experiment.identity
    assert tuple(Run(**row) for row in stored.runs) == result.runs
    assert tuple(Record(**row) for row in stored.records) == result.records


def test_views_are_stored_as_the_arrays_they_show(make_result, tmp_path):
    result = make_result([0.5])
    folder = store.write(result, tmp_path)
    assert not result.arrays["truth"].flags.c_contiguous
    np.testing.assert_array_equal(forecast(folder)["truth"], result.arrays["truth"])
    np.testing.assert_array_equal(weights(folder)["w"], result.weights["w"])


def test_nan_and_infinity_are_stored_as_null(make_result, tmp_path):
    result = make_result([math.nan, math.inf])
    folder = store.write(result, tmp_path)
    assert pq.read_table(str(folder / "records.parquet"))["value"].null_count == 4
    assert {row["value"] for row in read(folder).records} == {None}


def test_every_stored_column_is_described(make_result, tmp_path):
    folder = store.write(make_result([0.5]), tmp_path)
    for name, schema in (("runs.parquet", RUNS), ("records.parquet", RECORDS)):
        stored = pq.read_schema(str(folder / name))
        assert stored.names == schema.names
        assert all(stored.field(column).metadata[b"description"] for column in schema.names)


def test_the_schemas_have_the_fields_of_the_dataclasses(make_result):
    result = make_result([0.5])
    assert RUNS.names == list(asdict(result.runs[0]))
    assert RECORDS.names == list(asdict(result.records[0]))


def test_the_folder_name_is_readable_short_and_safe(make_result):
    experiment = make_result([0.5], model="wide").experiment
    name = store.folder_name(experiment)
    assert name.startswith("lstm-hidden-7-bptt")
    assert name.endswith(f"lorenz63-{experiment.digest()[:12]}")
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    assert len(name) <= 3 * 33 + 12


def test_the_folder_name_has_whole_settings_or_none(make_result):
    experiment = make_result([0.5]).experiment

    def name(**settings):
        return store.folder_name(experiment.replaced(trainer=experiment.trainer.replaced(**settings)))

    assert name(batch=30).startswith("lstm-bptt-batch-30-lorenz63-")
    assert name(sequence_length=7654321, batch=30).startswith("lstm-bptt-lorenz63-")


def test_files_have_the_permissions_of_the_umask(make_result, tmp_path):
    folder = store.write(make_result([0.5]), tmp_path)
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1


@pytest.mark.parametrize("name", ["spec.json", "runs.parquet", "records.parquet"])
def test_a_flipped_bit_is_refused_and_the_file_named(make_result, tmp_path, name):
    folder = store.write(make_result([0.5, 0.25]), tmp_path)
    _flip(folder / name, (folder / name).stat().st_size // 2)
    with pytest.raises(StoreError, match=rf"{name}' is damaged"):
        read(folder)


def test_a_flipped_bit_in_the_weights_is_refused(make_result, tmp_path):
    folder = store.write(make_result([0.5, 0.25]), tmp_path)
    _flip(folder / "weights.safetensors", -2)
    with pytest.raises(StoreError, match=r"weights\.safetensors' is damaged"):
        weights(folder)


def test_a_flipped_bit_in_a_page_is_refused_even_where_the_manifest_agrees(make_result, tmp_path):
    folder = store.write(make_result([0.5, 0.25]), tmp_path)
    path = folder / "records.parquet"
    column = pq.read_metadata(str(path)).row_group(0).column(3)
    _flip(path, column.data_page_offset + column.total_compressed_size // 2)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][path.name] = sha256(path.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match=r"records\.parquet' is damaged"):
        read(folder)


def test_an_interrupted_write_leaves_nothing(make_result, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_publish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write(make_result([0.5]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_killed_writer_is_no_result_and_is_removed_once_stale(make_result, tmp_path):
    left = tmp_path / f".tmp-{32 * '0'}"
    left.mkdir()
    (left / "manifest.json").write_text("{}")
    with pytest.raises(StoreError, match="there are no results"):
        store.folders(tmp_path)
    store.write(make_result([0.5]), tmp_path)
    assert left.exists(), "a writer may still be at work there"
    os.utime(left, times=(time.time() - 4000,) * 2)
    store.prepare(tmp_path)
    assert not left.exists()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # from Python 3.12; these children only write
def test_two_processes_that_publish_the_same_experiment_leave_one_whole_folder(make_result, tmp_path):
    result = make_result([0.5, 0.25])
    context = multiprocessing.get_context("fork")
    start = context.Barrier(2)

    def publish():
        start.wait()
        for _ in range(5):
            store.write(result, tmp_path)

    writers = [context.Process(target=publish) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == [store.folder_name(result.experiment)]
    assert tuple(Run(**row) for row in read(store.folders(tmp_path)[0]).runs) == result.runs


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # from Python 3.12; these children only write
def test_two_processes_that_replace_a_failure_leave_one_whole_folder(make_result, tmp_path):
    failed = make_result([None, None], statuses=["failed", "failed"])
    result = make_result([0.5, 0.25])
    context = multiprocessing.get_context("fork")
    for _ in range(5):
        for path in tmp_path.iterdir():
            shutil.rmtree(path)
        store.write(failed, tmp_path)
        writers = [context.Process(target=store.write, args=(each, tmp_path)) for each in (result, failed, result)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert [path.name for path in tmp_path.iterdir()] == [store.folder_name(result.experiment)]
        assert not read(store.folders(tmp_path)[0]).retryable


@pytest.mark.parametrize("status", ["failed", "crashed", "timeout", "oom", "skipped"])
def test_a_run_without_results_is_replaced(make_result, tmp_path, status):
    store.write(make_result([None], statuses=[status]), tmp_path)
    assert store.done_seeds(store.read_all(tmp_path)) == {make_result([0.5]).experiment.identity: set()}
    store.write(make_result([0.5]), tmp_path)
    assert [row["status"] for row in read(store.folders(tmp_path)[0]).runs] == ["ok"]
    assert len(list(tmp_path.iterdir())) == 1


def test_equal_numbers_give_no_warning_though_times_differ(make_result, tmp_path):
    result = make_result([0.5])
    cost = replace(result.records[0], name="diagnosis.peak_memory", unit="MiB", better="")
    result = replace(result, records=(*result.records, cost))
    store.write(result, tmp_path)
    other = (
        tuple(replace(run, train_seconds=99.0) for run in result.runs),
        (*result.records[:-1], replace(cost, value=9.0)),
    )
    store.write(replace(result, runs=other[0], records=other[1]), tmp_path)
    assert read(store.folders(tmp_path)[0]).runs[0]["train_seconds"] == result.runs[0].train_seconds


@pytest.mark.parametrize("other", [{"divergences": [0.6]}, {"divergences": [0.5], "weight": 2.0}])
def test_other_numbers_from_the_same_experiment_are_dropped_with_a_warning(make_result, tmp_path, other):
    store.write(make_result([0.5]), tmp_path)
    with pytest.warns(RuntimeWarning, match="other numbers"):
        store.write(make_result(**other), tmp_path)
    assert read(store.folders(tmp_path)[0]).records[0]["value"] == 0.5


def test_seeds_of_one_identity_are_pooled_over_folders_and_only_results_count(make_result, tmp_path):
    first = make_result([0.5, None, None], statuses=["ok", "diverged", "failed"])
    store.write(first, tmp_path)
    assert store.done_seeds(store.read_all(tmp_path)) == {first.experiment.identity: {0, 1}}
    store.write(make_result([0.1], seeds=(2,), suite="another"), tmp_path)
    assert store.done_seeds(store.read_all(tmp_path)) == {first.experiment.identity: {0, 1, 2}}


def test_a_missing_directory_has_no_done_seeds(tmp_path):
    assert store.read_all(tmp_path / "results", may_be_empty=True) == []
    assert store.done_seeds([]) == {}


def test_the_error_for_a_results_path_that_is_a_file_gives_the_path(make_result, tmp_path):
    path = tmp_path / "results"
    path.write_text("mine")
    for act in (
        store.prepare,
        store.folders,
        store.read_all,
        lambda results: store.read_all(results, may_be_empty=True),
        lambda results: store.write(make_result([0.5]), results),
    ):
        with pytest.raises(StoreError, match=r"results'.* a file; name a"):
            act(path)
    assert path.read_text() == "mine"


def test_the_error_for_a_results_path_that_cannot_be_written_gives_the_path():
    with pytest.raises(StoreError, match="cannot keep results in '/proc/results'"):
        store.prepare(Path("/proc/results"))


def test_a_missing_or_empty_results_directory_says_what_to_do(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(StoreError, match="run a suite first"):
            store.folders(path)


def test_a_folder_without_a_manifest_is_no_experiment(make_result, tmp_path):
    (tmp_path / "notes").mkdir()
    folder = store.write(make_result([0.5]), tmp_path)
    assert store.folders(tmp_path) == [folder]
    with pytest.raises(StoreError, match="no finished experiment"):
        read(tmp_path / "notes")


def test_reading_needs_neither_torch_nor_plugins(make_result, tmp_path):
    folder = store.write(make_result([0.5]), tmp_path)
    code = (
        "import sys, pathlib; from chaosbench.leaderboard.folder import read; "
        f"assert read(pathlib.Path({str(folder)!r})).runs; assert not {{'torch', 'pluggy'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 4
    path.write_bytes(content)
