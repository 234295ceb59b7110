"""Pictures of a plug-in, from the entry point to the files beside a result."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from test_cli import TINY

from chaosbench.figures.draw import redraw
from chaosbench.registry import load

pytest.importorskip("matplotlib")

PLUGIN = """
    from typing import ClassVar, Literal
    from chaosbench import hookimpl
    from chaosbench.figures import Axis, BoardPicture, ExperimentPicture, Layout, Quantity, new_figure

    class Histogram(ExperimentPicture):
        \"\"\"Histogram of the first observable of the truth.\"\"\"

        kind: Literal["histogram"] = "histogram"
        needs: ClassVar = frozenset({"truth"})
        layout: ClassVar = Layout("a histogram", {"truth": Quantity("std", "true", (Axis("step", "", "steps", ""),))})

        def arguments(self, stored, arrays):
            return {"truth": arrays["truth"][:, 0], "label": stored.runs[0]["system"]}

        def figure(self, arguments):
            figure = new_figure(4, 3, arguments["label"])
            figure.subplots().hist(arguments["truth"])
            return figure

    class Tally(BoardPicture):
        \"\"\"Number of entries of a board.\"\"\"

        kind: Literal["tally"] = "tally"
        layout: ClassVar = Layout("a tally", {"count": Quantity("1", "number of entries")})

        def arguments(self, board, experiments):
            return {"count": float(len(board.entries))}

        def figure(self, arguments):
            figure = new_figure(4, 3, "")
            figure.subplots().bar([0], arguments["count"])
            return figure

    class Broken(ExperimentPicture):
        \"\"\"A picture that always fails.\"\"\"

        kind: Literal["broken"] = "broken"

        def arguments(self, stored, arrays):
            raise ValueError("two\\nlines")

        def figure(self, arguments):
            raise AssertionError

    @hookimpl
    def chaosbench_pictures():
        return [Broken, Histogram, Tally]
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Install the plug-in above as pip would."""
    (tmp_path / "more_pictures.py").write_text(textwrap.dedent(PLUGIN))
    info = tmp_path / "more_pictures-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more_pictures\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[chaosbench]\nmore_pictures = more_pictures\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("CHAOSBENCH_PLUGINS", "more_pictures")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    yield
    sys.modules.pop("more_pictures", None)


def test_pictures_of_a_plug_in_are_drawn_and_a_failure_is_reported_in_one_line(plugin, tmp_path: Path):
    """The command runs in a new process, because the fork server of the other tests started without the plug-in."""
    suite, results = tmp_path / "tiny.toml", tmp_path / "results"
    suite.write_text(TINY)
    command = [sys.executable, "-m", "chaosbench", "run", str(suite), "--results", str(results), "--device", "cpu"]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    folders = [path for path in results.iterdir() if path.is_dir() and not path.name.startswith(".")]
    assert len(folders) == 2
    for folder in folders:
        names = {path.name for path in folder.iterdir()}
        assert {"histogram.png", "histogram.arrow", "attractor.png", "training.png"} <= names
        assert not list(folder.glob("broken*"))
    assert f"{results}/tally.png" in finished.stdout
    failures = [line for line in finished.stderr.splitlines() if "broken" in line]
    assert len(failures) == len(folders), "one line per experiment"
    assert all("ValueError: two lines" in line for line in failures)
    pictures = load().kinds["picture"].values()
    assert redraw(folders[0] / "histogram.arrow", pictures).axes
    assert redraw(results / "tally.arrow", pictures).axes
    command = [sys.executable, "-m", "chaosbench", "draw", str(results), folders[0].name, "--format", "pdf"]
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 1, "one picture fails"
    assert "broken" in again.stdout
    assert {path.stem for path in folders[0].glob("*.pdf")} == {path.stem for path in folders[0].glob("*.png")}
    assert not list(folders[1].glob("*.pdf"))


def test_pictures_are_listed_and_described(call, plugin):
    rows = json.loads(call("list", "pictures", "--json")[1])
    origins = {row["name"]: row["origin"].split()[0] for row in rows}
    assert origins["attractor"] == origins["forcing_curve"] == "chaosbench"
    assert origins["histogram"] == "more_pictures"
    code, out, _ = call("describe", "histogram")
    assert code == 0
    assert "Histogram of the first observable" in out


def test_pictures_are_listed_without_matplotlib_torch_and_pyarrow():
    code = (
        "import sys, chaosbench.figures\n"
        "heavy = {'torch', 'pyarrow', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
