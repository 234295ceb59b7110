"""Recorded series: reading files in every format, columns, times, splits and labels."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from series_files import NAMES, rejection, waves, write_csv, write_npy, write_parquet

from chaosbench.errors import DataError
from chaosbench.series import TimeSeries
from chaosbench.source import Source
from chaosbench.systems import SystemSpec


@settings(max_examples=20, deadline=None)  # the first call imports pyarrow
@given(
    values=arrays(
        np.float64,
        st.tuples(st.integers(100, 130), st.integers(1, 3)),
        elements=st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_every_format_gives_the_same_array(tmp_path_factory, values):
    """Text written with repr represents a float64 exactly."""
    values[0], values[1] = 0.0, 1.0  # a constant column is rejected
    folder = tmp_path_factory.mktemp("series")
    for write in (write_npy, write_csv, write_parquet):
        path = write(folder / "series", values)
        assert np.array_equal(TimeSeries(path=str(path)).read().numpy(), values)


def test_a_series_of_one_axis_is_one_column(stem):
    path = write_npy(stem, waves()[:, 0].astype(np.float32))
    system = TimeSeries(path=str(path))
    assert system.dimension == 1
    assert system.read().shape == (200, 1)
    assert system.read().dtype == torch.float64


def test_the_tensor_that_read_returns_may_be_modified(stem):
    system = TimeSeries(path=str(write_npy(stem, waves())))
    system.read().zero_()
    assert system.read().abs().max() > 0.9


def test_a_file_that_changed_is_read_again_and_refused_by_a_spec_of_the_old_one(stem):
    system = TimeSeries(path=str(write_npy(stem, waves())))
    assert system.dimension == 3
    write_npy(stem, waves(columns=2))
    assert TimeSeries(path=system.path).dimension == 2
    with pytest.raises(DataError, match="has changed"):
        system.read()


def test_relative_paths_start_at_the_working_directory(stem, monkeypatch):
    path = write_npy(stem, waves())
    monkeypatch.chdir(path.parent)
    assert TimeSeries(path="series.npy").read().shape == (200, 3)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("names", [NAMES, None])
def test_tables_of_text_are_read_with_and_without_names(stem, delimiter, names):
    path = write_csv(stem, waves(), names=names, delimiter=delimiter)
    assert np.array_equal(TimeSeries(path=str(path)).read().numpy(), waves())


def test_a_column_of_integers_may_contain_a_fraction_late_in_a_long_file(stem):
    """Readers that infer types from the first megabyte fail here."""
    values = np.arange(300_000)[:, None].astype(object) % 1_000
    values[-1, 0] = 0.5
    assert float(TimeSeries(path=str(write_csv(stem, values))).read()[-1, 0]) == 0.5


def test_columns_are_chosen_by_name_and_by_position(stem):
    path = str(write_csv(stem, waves()))
    by_name = TimeSeries(path=path, columns=("wind", "pressure"))
    by_position = TimeSeries(path=path, columns=(2, 0))
    assert by_name.dimension == 2
    assert torch.equal(by_name.read(), by_position.read())
    assert np.array_equal(by_name.read().numpy(), waves()[:, [2, 0]])


def test_columns_of_text_are_refused_unless_the_columns_are_named(stem):
    values = waves().astype(object)
    values[:, 1] = "sunny"
    path = write_csv(stem, values)
    assert "'sunny'" in rejection(path)
    assert np.array_equal(TimeSeries(path=str(path), columns=(0, 2)).read().numpy(), waves()[:, [0, 2]])
    assert "'sunny'" in rejection(write_parquet(stem, values.tolist()))


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_times_give_the_step_and_are_not_an_observable(stem, write):
    values = np.column_stack([5 + 0.25 * np.arange(200), waves(columns=2)])
    system = TimeSeries(path=str(write(stem, values)), time="pressure")
    assert (system.dt, system.dimension) == (0.25, 2)
    assert system == TimeSeries(path=system.path, time="pressure", dt=0.25)


def test_a_stored_spec_needs_no_file(stem):
    path = write_csv(stem, np.column_stack([0.25 * np.arange(200), waves(columns=2)]))
    system = TimeSeries(path=str(path), time=0)
    path.unlink()
    assert TimeSeries.model_validate_json(system.model_dump_json()) == system


def test_times_may_be_rounded(stem):
    values = np.column_stack([np.round(np.arange(200) / 300, 5), waves(columns=2)])
    assert TimeSeries(path=str(write_csv(stem, values)), time=0).dt == pytest.approx(1 / 300, rel=1e-4)


def test_splits_are_consecutive_and_separated_by_the_gap(stem):
    path = str(write_npy(stem, np.arange(1_000.0)))
    splits = TimeSeries(path=path, gap=7).splits()
    assert splits.train[0][:, 0].tolist() == list(range(700))
    assert splits.validation[0][:, 0].tolist() == list(range(707, 800))
    assert splits.test[0][:, 0].tolist() == list(range(807, 1_000))


def test_the_validation_split_may_be_empty(stem):
    path = str(write_npy(stem, np.arange(1_000.0)))
    splits = TimeSeries(path=path, train_share=0.6, validation_share=0.0, gap=5).splits()
    assert (len(splits.train[0]), len(splits.validation), len(splits.test[0])) == (600, 0, 395)
    assert float(splits.test[0][0, 0]) == 605


def test_the_checksum_is_verified(stem):
    path = write_npy(stem, waves())
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert TimeSeries(path=str(path), sha256=right).read().shape == (200, 3)
    assert right in rejection(path, sha256="0" * 64)


def test_a_recorded_series_is_a_source_without_a_step(stem):
    system = TimeSeries(path=str(write_npy(stem, waves())))
    assert isinstance(system, Source)
    assert not isinstance(system, SystemSpec)
    assert not hasattr(system, "step")


def test_labels_contain_the_changed_fields_that_affect_results():
    system = TimeSeries(path="/a/long/way/to/jena.csv", columns=("T",), dt=10, source="somebody", sha256="a" * 64)
    assert system.label == "timeseries(jena aaaaaaaa, columns=('T',), dt=10)"


def test_a_given_exponent_is_kept_with_its_source():
    assert TimeSeries(path="x.npy", exponent=0.2, exponent_source="a paper").largest_exponent() == 0.2
    with pytest.raises(ValidationError, match="exponent_source"):
        TimeSeries(path="x.npy", exponent=0.2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dt": -0.1}, "greater than 0"),
        ({"dt": 0.0}, "greater than 0"),
        ({"train_share": 0.8, "validation_share": 0.2}, "nothing to test on"),
        ({"columns": ("a", "b", "a")}, "twice"),
        ({"columns": ()}, "at least 1"),
        ({"sha256": "abc"}, "pattern"),
        ({"gap": -1}, "greater than or equal to 0"),
    ],
)
def test_inconsistent_fields_are_rejected(fields, message):
    with pytest.raises(ValidationError, match=message):
        TimeSeries(path="x.npy", **fields)
