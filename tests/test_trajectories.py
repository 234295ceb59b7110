"""Files of trajectories: what is written is read again."""

import numpy as np
import pytest

from chaosbench.errors import ChaosbenchError
from chaosbench.trajectories import read_trajectories, write_trajectories


@pytest.mark.parametrize("ending", ["csv", "npy", "parquet"])
def test_a_trajectory_that_was_written_is_read_again(tmp_path, ending):
    values = np.random.default_rng(0).normal(size=(120, 3))
    path = write_trajectories(tmp_path / f"one.{ending}", values, dt=0.5)
    np.testing.assert_array_equal(read_trajectories(str(path)), values[None])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_three_axes_and_a_folder_are_several_trajectories(tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 120, 2))
    for index, part in enumerate(values):
        write_trajectories(tmp_path / f"{index}.csv", part, dt=1.0)
    np.testing.assert_array_equal(read_trajectories(str(tmp_path)), values)
    write_trajectories(tmp_path / "all.npy", values, dt=1.0)
    np.testing.assert_array_equal(read_trajectories(str(tmp_path / "all.npy")), values)


def test_unknown_formats_and_uneven_folders_are_refused(tmp_path):
    with pytest.raises(ChaosbenchError, match=r"\.parquet"):
        write_trajectories(tmp_path / "a.xyz", np.zeros((2, 2)), dt=1.0)
    for count in (110, 120):
        write_trajectories(tmp_path / f"{count}.csv", np.random.default_rng(0).normal(size=(count, 2)), dt=1.0)
    with pytest.raises(ChaosbenchError, match="110"):
        read_trajectories(str(tmp_path))


def test_files_of_a_folder_are_in_the_order_of_their_numbers_and_hidden_ones_are_left_out(tmp_path):
    values = np.random.default_rng(0).normal(size=(11, 120, 2))
    for index, part in enumerate(values):
        write_trajectories(tmp_path / f"run{index}.npy", part, dt=1.0)
    (tmp_path / ".npy").write_bytes(b"not data")
    (tmp_path / ".hidden.npy").write_bytes(b"not data")
    (tmp_path / "notes.md").write_text("ten runs and one")
    np.testing.assert_array_equal(read_trajectories(str(tmp_path)), values)


def test_a_folder_of_hdf5_is_read_by_either_ending(tmp_path):
    h5py = pytest.importorskip("h5py")
    values = np.random.default_rng(0).normal(size=(2, 120, 2))
    for name, part in zip(("a.h5", "b.hdf5"), values, strict=True):
        with h5py.File(tmp_path / name, "w") as file:
            file["states"] = part
    np.testing.assert_array_equal(read_trajectories(str(tmp_path)), values)


def test_folders_without_trajectories_and_folders_named_as_files_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "runs.npy").mkdir()
    with pytest.raises(ChaosbenchError, match=r"empty.*\.npy"):
        read_trajectories(str(tmp_path / "empty"))
    with pytest.raises(ChaosbenchError, match=r"runs\.npy.*folder"):
        read_trajectories(str(tmp_path / "runs.npy"))
