"""Files as people have them: every format gives the observables, and what is not learned is named."""

import datetime
import sys

import h5py
import numpy as np
import pytest
from scipy.io import savemat
from series_files import logistic, rejection, waves

from chaosbench.errors import DataError
from chaosbench.series import TimeSeries
from chaosbench.source import DataSpec

SMALL = DataSpec(test_length=10)


def text(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def table(path, head, times):
    """Write times beside an orbit of the logistic map."""
    rows = zip(times, logistic(len(times)).tolist(), strict=True)
    return text(path, [head, *(f"{time},{value!r}" for time, value in rows)])


def series(path, **fields):
    """Return the spec, its rows and all that it says about the files."""
    system = TimeSeries(path=path, **fields)
    return system, system.read().numpy(), " ".join(system.describe(SMALL))


def test_a_table_with_decimal_commas_is_read_and_its_counter_is_named(tmp_path):
    values = logistic(400)
    lines = ["t;x", *(f"{row};{value:.5f}".replace(".", ",") for row, value in enumerate(values))]
    path = text(tmp_path / "messung.csv", lines)
    _, rows, said = series(path)
    assert np.allclose(rows[:, 0], values, atol=1e-5)
    assert rows.shape == (400, 1)
    assert "'t'" in said
    assert TimeSeries(path=path, time="t").dt == 1
    assert np.array_equal(TimeSeries(path=path, columns=("t", "x")).read().numpy()[:, 0], np.arange(400.0))


@pytest.mark.parametrize("blank", ["  ", "\t", " \t "])
def test_columns_may_be_separated_by_blanks(tmp_path, blank):
    values = waves()
    path = text(tmp_path / "a.dat", ["   " + blank.join(f"{cell:9.6f}" for cell in row) for row in values])
    assert np.allclose(series(path)[1], values, atol=1e-6)


def test_words_with_decimal_commas_are_numbers(tmp_path):
    lines = ["a b", *(" ".join(f"{cell:.4f}".replace(".", ",") for cell in row) for row in waves(columns=2))]
    assert np.allclose(series(text(tmp_path / "a.txt", lines))[1], waves(columns=2), atol=1e-4)


def test_lines_that_begin_with_a_hash_are_comments(tmp_path):
    values = logistic(150)
    lines = ["# recorded by hand", "# columns: x", *map(repr, values.tolist()), "# end"]
    assert np.array_equal(series(text(tmp_path / "a.txt", lines))[1][:, 0], values)


@pytest.mark.parametrize(("suffix", "mark"), [(".tsv", "\t"), (".txt", ","), (".dat", ";")])
def test_the_delimiter_is_taken_from_the_lines_and_not_from_the_name(tmp_path, suffix, mark):
    lines = ["a" + mark + "b", *(f"{a!r}{mark}{b!r}" for a, b in waves(columns=2).tolist())]
    assert np.array_equal(series(text(tmp_path / f"a{suffix}", lines))[1], waves(columns=2))


def test_a_first_column_that_counts_is_named_and_not_learned(tmp_path):
    values = waves(columns=2)
    path = tmp_path / "a.csv"
    text(path, ["index,x,y", *(f"{row},{x!r},{y!r}" for row, (x, y) in enumerate(values.tolist()))])
    system, rows, said = series(str(path))
    assert np.array_equal(rows, values)
    assert "'index'" in said
    assert "columns x, y" in said
    assert system.dimension == 2
    assert TimeSeries(path=str(path), columns=("index", "x")).dimension == 2


def test_a_column_called_time_is_named_and_not_learned(tmp_path):
    uneven = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.5, 200))
    path = text(
        tmp_path / "a.csv",
        ["Time [s],x", *(f"{t!r},{x!r}" for t, x in zip(uneven.tolist(), logistic(200).tolist(), strict=True))],
    )
    _, rows, said = series(path)
    assert rows.shape == (200, 1)
    assert "'Time [s]'" in said
    assert TimeSeries(path=path, columns=("Time [s]", "x")).dimension == 2


@pytest.mark.parametrize(
    ("form", "hours", "dt", "unit"),
    [
        ("%Y-%m-%d %H:%M:%S", 6, 6.0, "hours"),
        ("%Y-%m-%dT%H:%M:%S", 0.25, 15.0, "minutes"),
        ("%Y-%m-%d", 48, 2.0, "days"),
        ("%d.%m.%Y %H:%M", 6, 6.0, "hours"),
    ],
)
def test_dates_give_the_step_in_a_unit_that_is_stated(tmp_path, form, hours, dt, unit):
    start = datetime.datetime(2020, 1, 30)
    dates = [(start + datetime.timedelta(hours=hours * row)).strftime(form) for row in range(200)]
    path = table(tmp_path / "a.csv", "date,x", dates)
    system = TimeSeries(path=path, time="date")
    assert (system.dt, system.time_unit) == (dt, unit)
    assert unit in " ".join(system.describe(SMALL))
    assert TimeSeries(path=path, time="date", time_unit="seconds").dt == 3_600 * hours
    assert "'date'" in series(path)[2]


def test_dates_that_are_not_evenly_spaced_are_refused_and_missing_ones_are_a_gap(tmp_path):
    hours = [6 * row for row in range(200)]
    dates = [datetime.datetime(2020, 1, 30) + datetime.timedelta(hours=hour) for hour in hours]
    late = [*dates[:50], dates[50] + datetime.timedelta(hours=1), *dates[51:]]
    table(tmp_path / "late.csv", "date,x", late)
    assert "row 49 to 50" in rejection(tmp_path / "late.csv", time="date")
    system = TimeSeries(path=table(tmp_path / "gap.csv", "date,x", [*dates[:50], *dates[53:]]), time="date")
    assert (system.dt, system.recorded().gaps) == (6.0, 1)


def test_months_are_even_although_their_days_are_not(tmp_path):
    months = np.arange("1990-01", "2010-01", dtype="datetime64[M]").astype("datetime64[D]")
    system = TimeSeries(path=table(tmp_path / "a.csv", "month,x", months), time="month")
    assert (system.dt, system.time_unit) == (1, "months")


def test_archives_hold_columns_by_name_or_one_array_that_is_named(tmp_path):
    x, y = waves(columns=2).T
    for path, write in ((tmp_path / "a.npz", np.savez), (tmp_path / "a.mat", lambda path, **all: savemat(path, all))):
        write(path, x=x, y=y)
        assert np.array_equal(series(str(path), columns=("x", "y"))[1], waves(columns=2))
        write(path, states=waves(), other=np.zeros((3, 4)))
        assert np.array_equal(series(str(path), array="states")[1], waves())
        assert "'states'" in rejection(path)
        assert "'other'" in rejection(path, array="nothing")
        write(path, states=waves().T)
        assert np.array_equal(series(str(path), axes="DT")[1], waves())
        assert "axes" in rejection(path)


def test_hdf5_is_read(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["runs/x"] = waves()
    assert np.array_equal(series(str(tmp_path / "a.h5"))[1], waves())


def test_matlab_files_of_version_7_3_are_hdf5_with_transposed_arrays(tmp_path):
    """A block of 512 bytes with the version comes first (MATLAB's documentation of MAT-files)."""
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["x"] = waves().T
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + (0x0200).to_bytes(2, "little") + b"IM"
    with (tmp_path / "a.mat").open("r+b") as file:
        file.write(head)
    assert np.array_equal(series(str(tmp_path / "a.mat"))[1], waves())


def test_without_its_package_hdf5_is_refused_by_a_sentence_that_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "a.h5").write_bytes(b"\x89HDF")
    assert "pip install" in rejection(tmp_path / "a.h5")
    assert "h5py" in rejection(tmp_path / "a.h5")


@pytest.mark.parametrize("write", [np.save, lambda path, values: np.savez(path, x=values)])
def test_objects_are_never_unpickled(tmp_path, write):
    path = tmp_path / ("a.npy" if write is np.save else "a.npz")
    write(path, np.array([{}] * 200, dtype=object))
    with pytest.raises(DataError, match="cannot be read as"):
        TimeSeries(path=str(path)).read()


def test_a_shipped_series_is_found_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    system, rows, _ = series("chaosbench:santa_fe_laser.csv")
    published = [86, 141, 95, 41, 22, 21, 32, 72, 138, 111]  # Weigend and Gershenfeld 1993, the first values of set A
    assert rows[:10, 0].tolist() == published
    assert len(rows) == 10_093
    assert system.path == "chaosbench:santa_fe_laser.csv"
    assert "(santa_fe_laser " in system.label
    with pytest.raises(DataError, match=r"ships no series 'sunspots\.csv'; it ships santa_fe_laser\.csv"):
        TimeSeries(path="chaosbench:sunspots.csv")
