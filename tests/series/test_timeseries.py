import hashlib
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyarrow import parquet
from pydantic import ValidationError

from chaosbench.errors import DataError
from chaosbench.series import TimeSeries
from chaosbench.source import Source
from chaosbench.systems import SystemSpec

NAMES = ("pressure", "temperature", "wind")


def waves(rows=200, columns=3):
    time = 0.1 * np.arange(rows)
    return np.stack([np.sin((stem + 1) * time) for stem in range(columns)], axis=1)


def write_npy(path, values):
    np.save(path.with_suffix(".npy"), values)
    return path.with_suffix(".npy")


def write_csv(path, values, *, names=NAMES, delimiter=","):
    lines = [delimiter.join(map(str, row)) for row in np.asarray(values, dtype=object).tolist()]
    header = [delimiter.join(names[: np.shape(values)[1]])] if names else []
    path.with_suffix(".csv").write_text("\n".join([*header, *lines]) + "\n")
    return path.with_suffix(".csv")


def write_parquet(path, values, *, names=NAMES):
    columns = {
        name: pyarrow.array(list(column)) for name, column in zip(names, zip(*values, strict=True), strict=False)
    }
    parquet.write_table(pyarrow.table(columns), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def rejection(path, **fields):
    """Return the message, one line, with which a file is rejected."""
    with pytest.raises(DataError) as raised:
        TimeSeries(path=str(path), **fields).splits()
    assert "\n" not in str(raised.value)
    assert Path(path).name in str(raised.value)
    return str(raised.value)


@pytest.fixture
def stem(tmp_path):
    return tmp_path / "series"


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


def test_a_reader_may_modify_the_tensor_that_it_gets(stem):
    system = TimeSeries(path=str(write_npy(stem, waves())))
    system.read().zero_()
    assert system.read().abs().max() > 0.9


def test_a_file_that_changed_is_read_again(stem):
    system = TimeSeries(path=str(write_npy(stem, waves())))
    assert system.dimension == 3
    write_npy(stem, waves(columns=2))
    assert system.dimension == 2


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


def test_columns_of_text_are_not_observables(stem):
    values = waves().astype(object)
    values[:, 1] = "sunny"
    assert np.array_equal(TimeSeries(path=str(write_csv(stem, values))).read().numpy(), waves()[:, [0, 2]])
    assert TimeSeries(path=str(write_parquet(stem, values.tolist()))).dimension == 2


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


def test_splits_follow_one_another_with_the_gap_between(stem):
    path = str(write_npy(stem, np.arange(1_000.0)))
    train, validation, test = TimeSeries(path=path, gap=7).splits()
    assert train[:, 0].tolist() == list(range(700))
    assert validation[:, 0].tolist() == list(range(707, 800))
    assert test[:, 0].tolist() == list(range(807, 1_000))


def test_the_validation_split_may_be_empty(stem):
    path = str(write_npy(stem, np.arange(1_000.0)))
    train, validation, test = TimeSeries(path=path, train_share=0.6, validation_share=0.0, gap=5).splits()
    assert (len(train), len(validation), len(test)) == (600, 0, 395)
    assert float(test[0, 0]) == 605


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
    assert system.label == "timeseries(jena, dt=10, columns=('T',))"


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


def test_a_missing_file_is_an_error(tmp_path):
    assert "No such file" in rejection(tmp_path / "nowhere.npy")
    assert "expected .npy, .csv, .parquet" in rejection(write_npy(tmp_path / "a", waves()).rename(tmp_path / "a.dat"))


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
@pytest.mark.parametrize("content", [b"", b"garbage, all of it\n" * 100])
def test_a_file_that_cannot_be_read_is_an_error(stem, suffix, content):
    stem.with_suffix(suffix).write_bytes(content)
    assert "cannot be read as" in rejection(stem.with_suffix(suffix))


def test_a_folder_cannot_be_read(tmp_path):
    (tmp_path / "a.npy").mkdir()
    assert "cannot be read as .npy" in rejection(tmp_path / "a.npy")


def test_damaged_text_is_an_error(stem):
    stem.with_suffix(".csv").write_text("")
    assert "cannot be read as .csv" in rejection(stem.with_suffix(".csv"))
    stem.with_suffix(".csv").write_bytes("Grad °C\n".encode("latin-1") * 200)
    assert "utf-8" in rejection(stem.with_suffix(".csv"))
    stem.with_suffix(".csv").write_text("a,b\n" + "1,2\n" * 150 + "1\n")
    assert "Expected 2 columns, got 1" in rejection(stem.with_suffix(".csv"))


@pytest.mark.parametrize(
    "values",
    [np.zeros((200, 2, 2)), np.zeros((200, 2), complex), np.array([["a"]] * 200), np.float64(1.0)],
    ids=["three axes", "complex", "text", "no axis"],
)
def test_an_array_of_wrong_shape_or_type_is_an_error(stem, values):
    assert "expected real numbers of shape (T,) or (T, D)" in rejection(write_npy(stem, values))


def test_pickles_are_never_loaded(stem):
    np.save(stem.with_suffix(".npy"), np.array([{}] * 200, dtype=object))
    assert "cannot be read as .npy" in rejection(stem.with_suffix(".npy"))


@pytest.mark.parametrize("culprit", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("write", [write_npy, write_csv, write_parquet])
def test_the_first_number_that_is_not_finite_is_named(stem, write, culprit):
    values = waves()
    values[150:160, 1] = culprit
    message = rejection(write(stem, values))
    assert "row 150 (counted from 0)" in message
    assert ("column 1" if write is write_npy else "column 'temperature'") in message


@pytest.mark.parametrize("culprit", ["", "n/a", "12 C"])
def test_a_cell_that_is_not_a_number_is_named(stem, culprit):
    values = waves().astype(object)
    values[17, 2] = culprit
    message = rejection(write_csv(stem, values))
    assert "column 'wind'" in message
    assert "row 17 (counted from 0)" in message


def test_a_chosen_column_of_text_is_an_error(stem):
    values = waves().astype(object)
    values[:, 1] = "sunny"
    assert "column 'temperature'" in rejection(write_csv(stem, values), columns=("temperature",))
    assert "'sunny'" in rejection(write_parquet(stem, values.tolist()), columns=(1,))


def test_a_table_without_numbers_is_an_error(stem):
    assert "no numeric column" in rejection(write_csv(stem, np.full((200, 2), "sunny", dtype=object)))


def test_a_constant_column_is_named(stem):
    values = waves()
    values[:, 1] = 3.5
    message = rejection(write_csv(stem, values))
    assert "column 'temperature'" in message
    assert "3.5 in all rows" in message


def test_a_series_that_is_too_short_is_an_error(stem):
    assert "99 rows; expected at least 100" in rejection(write_npy(stem, waves(rows=99)))
    assert "0 rows" in rejection(write_npy(stem, np.zeros((0, 3))))
    assert "no validation split" in rejection(write_npy(stem, waves()), gap=20)
    assert "no test split" in rejection(write_npy(stem, waves()), gap=50, validation_share=0.0, train_share=0.8)


def test_an_unknown_column_is_named_with_the_nearest_name(stem):
    assert "did you mean 'wind'?" in rejection(write_csv(stem, waves()), columns=("wnd",))
    assert "Known: 0, 1, 2" in rejection(write_npy(stem, waves()), columns=("wind",))
    assert "no column 3" in rejection(write_csv(stem, waves()), columns=(3,))
    assert "no column 'when'" in rejection(write_csv(stem, waves()), time="when", dt=1.0)


def test_a_column_that_is_chosen_twice_is_an_error(stem):
    assert "twice" in rejection(write_csv(stem, waves()), columns=("wind", 2))
    assert "twice" in rejection(write_csv(stem, waves()), columns=("wind", 0), time=2, dt=1.0)


def test_times_that_do_not_increase_evenly_are_an_error(stem):
    values = np.column_stack([np.arange(200.0), waves(columns=2)])
    values[50, 0] = 49.0
    assert "does not increase from row 49 to 50" in rejection(write_csv(stem, values), time="pressure")
    values[50:, 0] = 60.0 + np.arange(150)
    assert "11 from row 49 to 50" in rejection(write_csv(stem, values), time="pressure")


def test_a_step_that_contradicts_the_times_is_an_error(stem):
    path = write_csv(stem, np.column_stack([0.5 * np.arange(200.0), waves(columns=2)]))
    assert "0.5 apart, but dt = 1" in rejection(path, time=0, dt=1.0)
