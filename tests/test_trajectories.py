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
