from typing import Literal

import numpy as np
import pytest

from chaosbench import files
from chaosbench.figures.base import Layout, PictureSpec, Quantity
from chaosbench.figures.draw import save
from chaosbench.figures.panels import new_figure

pytest.importorskip("matplotlib")


class Dot(PictureSpec):
    kind: Literal["dot"] = "dot"
    layout = Layout("a dot", {"height": Quantity("1", "how high")})

    def figure(self, arguments):
        figure = new_figure(2, 2, arguments.get("label", ""))
        figure.subplots().plot([0], [arguments["height"]], marker="o")
        return figure


def test_a_picture_is_written_for_print_for_the_screen_and_as_numbers(tmp_path):
    paths = save(Dot(), tmp_path, {"height": 1.0, "label": "it"}, formats=("pdf", "png"))
    assert paths == [tmp_path / "dot.arrow", tmp_path / "dot.pdf", tmp_path / "dot.png"]
    assert sorted(tmp_path.iterdir()) == sorted(paths), "no other file is left behind"
    assert [path.read_bytes()[:4] for path in paths] == [b"ARRO", b"%PDF", b"\x89PNG"]


def test_equal_pictures_give_equal_files(tmp_path):
    def saved(height: float, name: str = "") -> list[bytes]:
        written = save(Dot(), tmp_path, {"height": height}, name=name, formats=("pdf", "png"))
        return [path.read_bytes() for path in written]

    assert saved(1.0, "again") == saved(1.0) != saved(2.0)


def test_a_failed_write_leaves_the_old_picture(tmp_path, monkeypatch):
    paths = save(Dot(), tmp_path, {"height": 1.0})
    before = [path.read_bytes() for path in paths[1:]]

    def broken(path):
        raise OSError("no space left on device")

    monkeypatch.setattr(files, "flush", broken)
    with pytest.raises(OSError, match="no space"):
        save(Dot(), tmp_path, {"height": np.float64(2.0)})
    assert [path.read_bytes() for path in paths[1:]] == before
    assert sorted(tmp_path.iterdir()) == sorted(paths)
