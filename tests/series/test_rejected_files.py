"""Files that cannot be used are rejected with one line that names file, column and row."""

import numpy as np
import pytest
from series_files import rejection, waves, write_csv, write_npy, write_parquet


def test_a_missing_file_is_an_error(tmp_path):
    assert "No such file" in rejection(tmp_path / "nowhere.npy")
    assert "expected .npy, .npz, .csv" in rejection(write_npy(tmp_path / "a", waves()).rename(tmp_path / "a.xyz"))


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
@pytest.mark.parametrize("content", [b"", b"garbage, all of it\n" * 100])
def test_a_file_that_cannot_be_read_is_an_error(stem, suffix, content):
    stem.with_suffix(suffix).write_bytes(content)
    assert "cannot be read as" in rejection(stem.with_suffix(suffix))


def test_a_folder_cannot_be_read(tmp_path):
    (tmp_path / "a.npy").mkdir()
    assert "cannot be" in rejection(tmp_path / "a.npy")


def test_damaged_text_is_an_error(stem):
    stem.with_suffix(".csv").write_text("")
    assert "cannot be read as .csv" in rejection(stem.with_suffix(".csv"))
    stem.with_suffix(".csv").write_bytes("Grad °C\n".encode("latin-1") * 200)
    assert "utf-8" in rejection(stem.with_suffix(".csv"))
    stem.with_suffix(".csv").write_text("a,b\n" + "1,2\n" * 150 + "1\n")
    assert "Expected 2 columns, got 1" in rejection(stem.with_suffix(".csv"))


@pytest.mark.parametrize(
    "values",
    [np.zeros((2, 2, 2, 2)), np.zeros((200, 2), complex), np.array([["a"]] * 200), np.float64(1.0)],
    ids=["four axes", "complex", "text", "no axis"],
)
def test_an_array_of_wrong_shape_or_type_is_an_error(stem, values):
    assert "expected real numbers of shape (T,) or (T, D)" in rejection(write_npy(stem, values))


def test_pickles_are_never_loaded(stem):
    np.save(stem.with_suffix(".npy"), np.array([{}] * 200, dtype=object))
    assert "cannot be read as .npy" in rejection(stem.with_suffix(".npy"))


@pytest.mark.parametrize("culprit", [np.inf, -np.inf])
@pytest.mark.parametrize("write", [write_npy, write_csv, write_parquet])
def test_the_first_number_that_is_not_finite_is_named(stem, write, culprit):
    values = waves()
    values[150:160, 1] = culprit
    message = rejection(write(stem, values))
    assert "row 150 (counted from 0)" in message
    assert ("column 1" if write is write_npy else "column 'temperature'") in message


@pytest.mark.parametrize("culprit", ["12 C", "3..5"])
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
    assert "'sunny'" in rejection(write_csv(stem, np.full((200, 2), "sunny", dtype=object)))


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
    values[50:, 0] = 60.5 + np.arange(150)
    assert "11.5 from row 49 to 50" in rejection(write_csv(stem, values), time="pressure")


def test_a_step_that_contradicts_the_times_is_an_error(stem):
    path = write_csv(stem, np.column_stack([0.5 * np.arange(200.0), waves(columns=2)]))
    assert "0.5 apart, but dt = 1" in rejection(path, time=0, dt=1.0)
