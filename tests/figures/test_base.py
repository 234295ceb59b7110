import numpy as np
import pytest

from chaosbench import files
from chaosbench.figures.base import Picture
from chaosbench.figures.panels import new_figure
from chaosbench.leaderboard.tidy import Layout, Quantity

pytest.importorskip("matplotlib")


def dot(height, *, label=""):
    figure = new_figure(2, 2, label)
    figure.subplots().plot([0], [height], marker="o")
    return figure


DOT = Picture(dot, Layout("dot", "a dot", {"height": Quantity("1", "how high")}))


def test_a_picture_is_written_for_print_for_the_screen_and_as_numbers(tmp_path):
    paths = DOT.save(tmp_path, {"height": 1.0, "label": "it"})
    assert paths == [tmp_path / "dot.arrow", tmp_path / "dot.pdf", tmp_path / "dot.png"]
    assert sorted(tmp_path.iterdir()) == sorted(paths), "nothing else is left"
    assert [path.read_bytes()[:4] for path in paths] == [b"ARRO", b"%PDF", b"\x89PNG"]


def test_the_same_picture_is_the_same_file(tmp_path):
    first = [path.read_bytes() for path in DOT.save(tmp_path, {"height": 1.0})]
    assert [path.read_bytes() for path in DOT.save(tmp_path, {"height": 1.0}, name="again")] == first
    assert [path.read_bytes() for path in DOT.save(tmp_path, {"height": 2.0})] != first


def test_what_fails_while_it_is_written_leaves_the_old_picture(tmp_path, monkeypatch):
    paths = DOT.save(tmp_path, {"height": 1.0})
    before = [path.read_bytes() for path in paths[1:]]

    def broken(path):
        raise OSError("no space left on device")

    monkeypatch.setattr(files, "flush", broken)
    with pytest.raises(OSError, match="no space"):
        DOT.save(tmp_path, {"height": np.float64(2.0)})
    assert [path.read_bytes() for path in paths[1:]] == before
    assert sorted(tmp_path.iterdir()) == sorted(paths)
